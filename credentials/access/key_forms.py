"""The form that a key is made with in the admin. What it says cannot be changed afterwards."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from credentials.access.models import ApiKey
from credentials.access.validators import validate_networks
from ltdkeeper.admin import EditForm


class NetworksField(forms.CharField):
    """Networks as people write them: one a line, or with commas between."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"})
    default_validators = [validate_networks]

    def to_python(self, value: Any) -> Any:
        return str(value or "").replace(",", " ").split()


class NewKeyForm(EditForm):
    """Refuses keys that could never open anything, and limits that contradict each other."""

    networks = NetworksField(
        required=False,
        help_text="One a line, such as 192.0.2.0/24 or 2001:db8::/32: the key, and every token it "
        "gives, is taken from there only. Empty: from everywhere.",
    )

    class Meta:
        model = ApiKey
        fields = ("client", "label", "expires_at", "all_products", "products", "networks")

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise ValidationError("That is over. Choose a moment to come, or leave it empty.")
        return expires_at

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if "products" in cleaned and "client" in cleaned:
            self._check_products(cleaned)
        return cleaned

    def _check_products(self, cleaned: dict[str, Any]) -> None:
        products = cleaned["products"]
        if cleaned["all_products"] and products:
            self.add_error("products", "Untick all products, or name none here.")
        if not cleaned["all_products"] and not products:
            self.add_error("products", "Name a product, or tick all products.")
        foreign = products.exclude(grants__client=cleaned["client"])
        if foreign:
            names = ", ".join(product.slug for product in foreign)
            self.add_error("products", f"The client is not granted: {names}. Grant it first.")
