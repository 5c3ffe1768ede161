/* What every page does where scripts run; without them all forms and links still work. */
(function () {
  "use strict";

  document.documentElement.classList.add("scripted");

  document.querySelectorAll("[data-without-script]").forEach((node) => { node.hidden = true; });

  // a select that stands for "go there" needs no button
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  // a form is sent once, however often its button is pressed
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    if (form.dataset.busy) setTimeout(() => sayBusy(form, event.submitter)); // after the browser has read the form
    else setTimeout(() => { delete form.dataset.sent; }, 8000);
  });

  // what takes seconds says so until its answer is there
  function sayBusy(form, pressed) {
    const button = pressed || form.querySelector("button:not([type=button])");
    button.dataset.words = button.textContent;
    button.textContent = form.dataset.busy;
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    const said = document.createElement("p");
    said.className = "visually-hidden";
    said.setAttribute("role", "status");
    form.append(said);
    said.textContent = form.dataset.busy;
  }
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return; // a page that the browser kept, and came back to
    document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
    document.querySelectorAll("button[aria-busy]").forEach((button) => {
      button.textContent = button.dataset.words;
      button.removeAttribute("aria-busy");
      button.disabled = false;
    });
  });

  // the address is the whole question: who copies it hands on what is shown (browsers allow it on https only)
  document.querySelectorAll("[data-copy-link]").forEach((button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () => navigator.clipboard.writeText(location.href).then(() => {
      const words = button.textContent;
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = words; }, 2000);
    }));
  });

  // a file that the server would refuse is not sent first
  document.addEventListener("change", (event) => {
    const most = Number(event.target.dataset.mostBytes);
    if (!most) return;
    const [file] = event.target.files;
    event.target.setCustomValidity(file && file.size > most ? event.target.dataset.tooLarge : "");
    event.target.reportValidity();
  });

  // the open page is in sight among the links, on a screen too narrow for all of them
  const current = document.querySelector(".nav [aria-current]");
  if (current) current.closest("ul").scrollLeft = current.offsetLeft - 16;

  // a page that came back with a problem says so first; a form that came back is brought into sight
  const focus = document.querySelector("[data-focus]");
  if (focus) focus.focus();

  // position of the phone, for checking in; the report form has a map and its own module
  document.querySelectorAll("form [data-position]").forEach((block) => {
    const form = block.closest("form");
    const said = block.querySelector("[data-locate-said]");
    if (!("geolocation" in navigator)) return;
    block.hidden = false;
    block.querySelector("[data-locate]").addEventListener("click", () => {
      navigator.geolocation.getCurrentPosition(
        (found) => {
          form.elements.lon.value = found.coords.longitude.toFixed(6);
          form.elements.lat.value = found.coords.latitude.toFixed(6);
          form.elements.frame.value = "WGS84";
          if (form.elements.accuracy_m) form.elements.accuracy_m.value = found.coords.accuracy.toFixed(1);
          // a position beside a code or a reason adds to them
          if (form.elements.method.value === "manual" && !form.elements.reason.value) form.elements.method.value = "gps";
          said.textContent = said.dataset.found.replace("%", Math.round(found.coords.accuracy));
        },
        () => { said.textContent = said.dataset.failed; },
        { enableHighAccuracy: true, timeout: 15000, maximumAge: 10000 }
      );
    });
  });

  // filters: addresses without empty values; what the server refuses is shown as its own page
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const values = event.detail.parameters;
    Object.keys(values).forEach((name) => { if (values[name] === "") delete values[name]; });
  });
  document.addEventListener("htmx:responseError", (event) => {
    const failed = event.detail.elt.dataset.failed; // a part of a page says so in its place
    if (failed) event.detail.elt.textContent = failed;
    else if (event.detail.requestConfig.verb === "get") location.assign(event.detail.pathInfo.finalRequestPath);
  });
})();
