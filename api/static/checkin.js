/* A check-in that is made without a network is kept on the device, with its time, and sent when there is one. */
(function () {
  "use strict";

  const KEPT = "gridwhistle.checkins";
  const DEVICE = "gridwhistle.device";
  const person = document.currentScript.dataset.person; // what one person made is not sent as another's

  function random() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  function device() {
    let own = localStorage.getItem(DEVICE);
    if (!own) {
      own = random();
      localStorage.setItem(DEVICE, own);
    }
    return own;
  }
  function kept() {
    try {
      return JSON.parse(localStorage.getItem(KEPT)) || [];
    } catch {
      return [];
    }
  }
  function keep(records) {
    localStorage.setItem(KEPT, JSON.stringify(records));
  }

  function record(form, task) {
    const said = {};
    for (const name of ["method", "frame", "code", "reason", "device"]) {
      const value = form.elements[name] ? form.elements[name].value.trim() : "";
      if (value) said[name] = value;
    }
    for (const name of ["lon", "lat", "accuracy_m"]) {
      const value = form.elements[name] ? Number.parseFloat(form.elements[name].value) : NaN;
      if (Number.isFinite(value)) said[name] = value;
    }
    said.claimed_at = new Date().toISOString();
    said.client_key = random();
    return { person, task, said };
  }

  document.querySelectorAll("[data-checkin]").forEach((field) => { field.value = device(); });

  document.addEventListener("submit", (event) => {
    const field = event.target.querySelector("[data-checkin]");
    if (!field) return;
    field.value = device();
    if (navigator.onLine) return;
    event.preventDefault();
    keep([...kept(), record(event.target, field.dataset.checkin)]);
    event.target.querySelector("[data-kept]").hidden = false;
    event.target.querySelector("button:not([type=button])").disabled = true;
  }, true);

  let sending = false;
  async function send() {
    if (sending || !navigator.onLine) return;
    sending = true;
    let sent = 0;
    for (const one of kept().filter((each) => each.person === person)) {
      let answer;
      try {
        answer = await fetch(`/api/tasks/${one.task}/check-in`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ ...one.said, sent_at: new Date().toISOString() }),
        });
      } catch {
        break; // the network went again
      }
      // signed out, too much at once, or a fault of ours: later; what is refused for good is not sent for ever
      if ([401, 408, 429].includes(answer.status) || answer.status >= 500) break;
      keep(kept().filter((each) => each.said.client_key !== one.said.client_key));
      sent += 1;
    }
    sending = false;
    if (sent) location.reload();
  }
  window.addEventListener("online", send);
  send();
})();
