"""S3's calls about a whole bucket, each by its name. Sessions may make none of them."""

from collections.abc import Callable
from typing import Any

BucketCall = Callable[[Any, str], Any]

OPEN_POLICY = (
    '{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*",'
    '"Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
)
EVERYTHING_AT_ONCE = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""},
                                 "Expiration": {"Days": 1}}]}  # fmt: skip
EVERYTHING_AT_ONCE_OLD = {"Rules": [{"ID": "a", "Status": "Enabled", "Prefix": "",
                                     "Expiration": {"Days": 1}}]}  # fmt: skip
ANY_ORIGIN = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
NO_BLOCK = {"BlockPublicAcls": False, "IgnorePublicAcls": False}
WEBSITE = {"IndexDocument": {"Suffix": "index.html"}}
TAGS = {"TagSet": [{"Key": "seen", "Value": "1"}]}
PLAIN = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
COPIES = {"Role": "arn:aws:iam::000000000000:role/x",
          "Rules": [{"Status": "Enabled", "Prefix": "",
                     "Destination": {"Bucket": "arn:aws:s3:::elsewhere"}}]}  # fmt: skip
REPORT = {"S3BucketDestination": {"Format": "CSV", "Bucket": "arn:aws:s3:::elsewhere"}}
INVENTORY = {"Id": "x", "IsEnabled": True, "IncludedObjectVersions": "All",
             "Destination": REPORT, "Schedule": {"Frequency": "Daily"}}  # fmt: skip
ANALYTICS = {"Id": "x", "StorageClassAnalysis": {}}
TIERING = {"Id": "x", "Status": "Enabled",
           "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}  # fmt: skip
JOURNAL = {"RecordExpiration": {"Expiration": "DISABLED"}}
TABLE = {"S3TablesDestination": {"TableBucketArn": "arn:aws:s3tables:x", "TableName": "x"}}


def about(method: str, **arguments: Any) -> BucketCall:
    """One of boto3's methods, with what it needs besides the bucket."""
    return lambda s3, bucket: getattr(s3, method)(Bucket=bucket, **arguments)


READS: dict[str, BucketCall] = {
    "head": about("head_bucket"),
    "get ACL": about("get_bucket_acl"),
    "get policy": about("get_bucket_policy"),
    "get policy status": about("get_bucket_policy_status"),
    "get public access block": about("get_public_access_block"),
    "get ownership": about("get_bucket_ownership_controls"),
    "get versioning": about("get_bucket_versioning"),
    "get life cycle": about("get_bucket_lifecycle_configuration"),
    "get life cycle, old form": about("get_bucket_lifecycle"),
    "get CORS": about("get_bucket_cors"),
    "get website": about("get_bucket_website"),
    "get tags": about("get_bucket_tagging"),
    "get encryption": about("get_bucket_encryption"),
    "get logging": about("get_bucket_logging"),
    "get notifications": about("get_bucket_notification_configuration"),
    "get notifications, old form": about("get_bucket_notification"),
    "get replication": about("get_bucket_replication"),
    "get object lock": about("get_object_lock_configuration"),
    "get request payer": about("get_bucket_request_payment"),
    "get acceleration": about("get_bucket_accelerate_configuration"),
    "get tag conditions": about("get_bucket_abac"),
    "get analytics": about("get_bucket_analytics_configuration", Id="x"),
    "get inventory": about("get_bucket_inventory_configuration", Id="x"),
    "get metrics": about("get_bucket_metrics_configuration", Id="x"),
    "get tiering": about("get_bucket_intelligent_tiering_configuration", Id="x"),
    "get metadata": about("get_bucket_metadata_configuration"),
    "get metadata table": about("get_bucket_metadata_table_configuration"),
    "list analytics": about("list_bucket_analytics_configurations"),
    "list inventories": about("list_bucket_inventory_configurations"),
    "list metrics": about("list_bucket_metrics_configurations"),
    "list tierings": about("list_bucket_intelligent_tiering_configurations"),
}
WRITES: dict[str, BucketCall] = {
    "delete": about("delete_bucket"),
    "put ACL": about("put_bucket_acl", ACL="public-read"),
    "put policy": lambda s3, b: s3.put_bucket_policy(Bucket=b, Policy=OPEN_POLICY.format(bucket=b)),
    "delete policy": about("delete_bucket_policy"),
    "put public access block": about(
        "put_public_access_block", PublicAccessBlockConfiguration=NO_BLOCK
    ),
    "delete public access block": about("delete_public_access_block"),
    "put ownership": about(
        "put_bucket_ownership_controls",
        OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
    ),
    "delete ownership": about("delete_bucket_ownership_controls"),
    "put versioning": about(
        "put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}
    ),
    "put life cycle": about(
        "put_bucket_lifecycle_configuration", LifecycleConfiguration=EVERYTHING_AT_ONCE
    ),
    "put life cycle, old form": about(
        "put_bucket_lifecycle", LifecycleConfiguration=EVERYTHING_AT_ONCE_OLD
    ),
    "delete life cycle": about("delete_bucket_lifecycle"),
    "put CORS": about("put_bucket_cors", CORSConfiguration=ANY_ORIGIN),
    "delete CORS": about("delete_bucket_cors"),
    "put website": about("put_bucket_website", WebsiteConfiguration=WEBSITE),
    "delete website": about("delete_bucket_website"),
    "put tags": about("put_bucket_tagging", Tagging=TAGS),
    "delete tags": about("delete_bucket_tagging"),
    "put encryption": about("put_bucket_encryption", ServerSideEncryptionConfiguration=PLAIN),
    "delete encryption": about("delete_bucket_encryption"),
    "put logging": about("put_bucket_logging", BucketLoggingStatus={}),
    "put notifications": about(
        "put_bucket_notification_configuration", NotificationConfiguration={}
    ),
    "put notifications, old form": about("put_bucket_notification", NotificationConfiguration={}),
    "put replication": about("put_bucket_replication", ReplicationConfiguration=COPIES),
    "delete replication": about("delete_bucket_replication"),
    "put object lock": about(
        "put_object_lock_configuration", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    ),
    "put request payer": about(
        "put_bucket_request_payment", RequestPaymentConfiguration={"Payer": "Requester"}
    ),
    "put acceleration": about(
        "put_bucket_accelerate_configuration", AccelerateConfiguration={"Status": "Enabled"}
    ),
    "put tag conditions": about("put_bucket_abac", AbacStatus={"Status": "Enabled"}),
    "put analytics": about(
        "put_bucket_analytics_configuration", Id="x", AnalyticsConfiguration=ANALYTICS
    ),
    "delete analytics": about("delete_bucket_analytics_configuration", Id="x"),
    "put inventory": about(
        "put_bucket_inventory_configuration", Id="x", InventoryConfiguration=INVENTORY
    ),
    "delete inventory": about("delete_bucket_inventory_configuration", Id="x"),
    "put metrics": about(
        "put_bucket_metrics_configuration", Id="x", MetricsConfiguration={"Id": "x"}
    ),
    "delete metrics": about("delete_bucket_metrics_configuration", Id="x"),
    "put tiering": about(
        "put_bucket_intelligent_tiering_configuration",
        Id="x",
        IntelligentTieringConfiguration=TIERING,
    ),
    "delete tiering": about("delete_bucket_intelligent_tiering_configuration", Id="x"),
    "create metadata": about(
        "create_bucket_metadata_configuration",
        MetadataConfiguration={"JournalTableConfiguration": JOURNAL},
    ),
    "delete metadata": about("delete_bucket_metadata_configuration"),
    "create metadata table": about(
        "create_bucket_metadata_table_configuration", MetadataTableConfiguration=TABLE
    ),
    "delete metadata table": about("delete_bucket_metadata_table_configuration"),
    "update metadata journal": about(
        "update_bucket_metadata_journal_table_configuration", JournalTableConfiguration=JOURNAL
    ),
    "update metadata inventory": about(
        "update_bucket_metadata_inventory_table_configuration",
        InventoryTableConfiguration={"ConfigurationState": "DISABLED"},
    ),
    "update metadata annotations": about(
        "update_bucket_metadata_annotation_table_configuration",
        AnnotationTableConfiguration={"ConfigurationState": "DISABLED"},
    ),
}
CALLS = READS | WRITES
