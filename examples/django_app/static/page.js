// Lists the user's connections as the server knows them from webhooks, and looks again after each new one.
"use strict";

const list = document.getElementById("connections");

async function show() {
  const found = await (await fetch("/connections")).json();
  list.replaceChildren(
    ...found.map((one) => {
      const item = document.createElement("li");
      item.dataset.id = one.id;
      item.textContent = `${one.integration} ${one.problem ?? ""} `;
      const button = document.createElement("button");
      button.textContent = "Call";
      button.addEventListener("click", async () => {
        const answer = await (await fetch(`/connections/${encodeURIComponent(one.id)}/call`)).json();
        document.getElementById("answer").textContent = JSON.stringify(answer, null, 1);
      });
      item.append(button);
      return item;
    }),
  );
  return found;
}

// The webhook comes a moment after the browser's own news of it.
async function await_(id) {
  for (let tries = 0; tries < 20; tries += 1) {
    if ((await show()).some((one) => one.id === id)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

if (list) {
  show();
  document.addEventListener("dragoman:connected", (event) => await_(event.detail.connectionId));
}
