"""How the admin writes moments: sortable, 24 hours, and saying that they are in UTC."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = r"Y-m-d H:i:s \U\T\C"
