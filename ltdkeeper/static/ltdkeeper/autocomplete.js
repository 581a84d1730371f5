// Fields that complete what is typed are named by nothing that a screen reader reads: they are
// given the name of their label, or the title of their column.
const nameOf = (select) => {
  const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
  const cell = select.closest("td");
  const title = cell && cell.closest("table").rows[0].cells[cell.cellIndex];
  return select.getAttribute("aria-label") || (label || title || select).textContent.trim();
};
const nameFields = () => {
  for (const box of document.querySelectorAll("select.admin-autocomplete + .select2")) {
    const select = box.previousElementSibling;
    for (const field of box.querySelectorAll("[role=combobox], .select2-search__field")) {
      field.id ||= `${select.id}-field`;
      field.setAttribute("aria-label", nameOf(select));
      const chosen = field.querySelector(".select2-selection__rendered");
      for (const name of ["role", "aria-readonly"]) {
        if (chosen) chosen.removeAttribute(name); // it would be a text field without a name
      }
      field.setAttribute("aria-labelledby", [field.id, chosen && chosen.id].filter(Boolean).join(" "));
    }
  }
};
// Where there are such fields there is jQuery: what waits for the page runs in the order of waiting.
if (window.django && window.django.jQuery) window.django.jQuery(nameFields);
document.addEventListener("formset:added", () => setTimeout(nameFields));
