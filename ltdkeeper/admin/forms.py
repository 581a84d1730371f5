"""Forms of the admin's pages: what was edited is written, for a reason, and nothing else.

A page may have been open for hours: saving it leaves alone what others have changed meanwhile.
"""

from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from builds.names import has_controls
from credentials.models.revocations import REASON_LENGTH
from ltdkeeper.admin.lists import is_key


class JSONField(forms.JSONField):
    """Refuses what Python's parser gives up on: nesting without end, numbers of 5,000 digits."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (ValueError, RecursionError) as err:
            raise ValidationError("Enter a valid JSON.") from err

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return InvalidJSONInput(data)


class EditForm(forms.ModelForm):  # type: ignore[type-arg]
    """Writes the fields that were edited on the page, and no others.

    The page carries what it showed. A field that still has that value when the page is saved
    keeps what the database has by then, however long the page was open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._replace_impossible_keys()
        self.is_edit = not self.instance._state.adding  # noqa: SLF001 - as Django's own forms do
        if not self.is_edit:
            return
        # What a script sends carries nothing: there the row itself is what is compared with.
        prefix = self.add_initial_prefix("")
        carried = not self.is_bound or any(name.startswith(prefix) for name in self.data)
        for field in self.fields.values():
            field.show_hidden_initial = carried and not field.disabled

    def _replace_impossible_keys(self) -> None:
        """By 0, which no row has: Django looks up whatever was sent, and fails."""
        data: Any = self.data
        for name, field in self.fields.items():
            if not self.is_bound or not isinstance(field, forms.ModelChoiceField):
                continue
            rows: Any = field.queryset
            for sent in (self.add_prefix(name), self.add_initial_prefix(name)):
                if not all(is_key(rows.model._meta.pk, key) for key in data.getlist(sent) if key):
                    self.data = data = data.copy()
                    data.setlist(sent, ["0"])

    def _post_clean(self) -> None:
        """Take what was not edited out of what is copied to the row and checked with it."""
        if self.is_edit:
            for name in self.cleaned_data.keys() - set(self.changed_data):
                del self.cleaned_data[name]
        super()._post_clean()  # type: ignore[misc]


class ReasonField(forms.CharField):
    """Why somebody does something: one line for the admin's log."""

    def __init__(self, *, help_text: str = "", required: bool = True) -> None:
        super().__init__(
            max_length=REASON_LENGTH,
            required=required,
            widget=forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
            help_text=help_text,
        )

    def validate(self, value: Any) -> None:
        super().validate(value)
        if has_controls(value):
            raise ValidationError("Write it in one line, without control characters.")


class ReasonActionForm(ActionForm):
    """The bar of actions of a list: what they do at once needs a reason as well."""

    # Whether it is one, the action says: Django itself would say that none was selected.
    reason = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"size": 30, "autocomplete": "off"})
    )


class ReasonForm(forms.Form):
    """The part of an edit's form that asks for its reason. It is no field of the row."""

    reason = ReasonField(
        required=False,
        help_text="Required where something was changed. Kept in the admin's log. No secrets.",
    )
    given_reason = ""

    @property
    def changed_data(self) -> list[str]:
        return [name for name in super().changed_data if name != "reason"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.given_reason = self.cleaned_data.get("reason", "")
        if self.changed_data and not self.given_reason and "reason" not in self.errors:
            self.add_error("reason", "Say why.")
        return cleaned
