// Opens Dragoman's Connect UI in a frame for every element with `data-dragoman-session`, and tells the page by events
// on that element: `dragoman:connected` ({integration, connectionId}), `dragoman:error` ({code, message}) and
// `dragoman:closed`. Served as a file: the page needs no inline script. A Content-Security-Policy needs `frame-src` for
// Dragoman's address.
"use strict";
(() => {
  const READY_WITHIN_MS = 15000;

  const tell = (button, name, detail) =>
    button.dispatchEvent(new CustomEvent(`dragoman:${name}`, { bubbles: true, cancelable: true, detail }));

  function forget(button) {
    if (button.nextElementSibling?.classList.contains("dragoman-problem")) button.nextElementSibling.remove();
  }

  // Said beside the button, unless the page's own handler calls preventDefault().
  function fail(button, code, message) {
    if (!tell(button, "error", { code, message })) return;
    console.error(`Dragoman: ${code}: ${message}`);
    forget(button);
    const said = document.createElement("span");
    said.className = "dragoman-problem";
    said.setAttribute("role", "alert");
    said.textContent = message;
    button.after(said);
  }

  async function session(button) {
    const { dragomanSession, integration, connectionId, csrfToken } = button.dataset;
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    if (csrfToken) headers["X-CSRFToken"] = csrfToken;
    const answer = await fetch(dragomanSession, {
      method: "POST",
      credentials: "same-origin",
      headers,
      body: JSON.stringify({ integration, connection_id: connectionId }),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const code = body.error?.code ?? `http_${answer.status}`;
      throw Object.assign(new Error(body.error?.message ?? `The server answered ${answer.status}.`), { code });
    }
    return body;
  }

  function show(button, made) {
    const page = new URL(made.ui_url);
    page.searchParams.set("apiURL", made.api_url);
    page.searchParams.set("detectClosedAuthWindow", "true");
    if (button.dataset.lang) page.searchParams.set("lang", button.dataset.lang);
    if (button.dataset.theme) page.searchParams.set("theme", button.dataset.theme);
    const frame = document.createElement("iframe");
    frame.id = "connect-ui";
    frame.title = button.textContent.trim() || "Connect";
    frame.allow = "clipboard-write";
    frame.referrerPolicy = "no-referrer";
    const style = { position: "fixed", inset: "0", width: "100%", height: "100%", border: "0" };
    Object.assign(frame.style, style, { zIndex: "9999", background: "transparent", colorScheme: "light dark" });

    const close = () => {
      clearTimeout(late);
      window.removeEventListener("message", hear);
      frame.remove();
      button.disabled = false;
      button.focus?.();
    };
    const late = setTimeout(() => {
      close();
      fail(button, "connect_ui_silent", `The Connect UI at ${page.origin} did not open.`);
    }, READY_WITHIN_MS);
    // Nobody else's messages count, and nobody else gets the token.
    const hear = (event) => {
      if (event.source !== frame.contentWindow || event.origin !== page.origin) return;
      const { type, payload } = event.data ?? {};
      if (type === "ready") {
        clearTimeout(late);
        frame.contentWindow.postMessage({ type: "session_token", sessionToken: made.token }, page.origin);
      } else if (type === "connect") {
        tell(button, "connected", {
          integration: payload?.providerConfigKey,
          connectionId: payload?.connectionId,
          isPending: payload?.isPending === true,
        });
      } else if (type === "error") {
        tell(button, "error", { code: payload?.errorType, message: payload?.errorMessage }); // the frame shows it
      } else if (type === "close") {
        close();
        tell(button, "closed", {});
      }
    };
    window.addEventListener("message", hear);
    frame.src = page.href;
    document.body.append(frame);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-dragoman-session]") : null;
    if (!button || button.disabled) return;
    event.preventDefault();
    forget(button);
    button.disabled = true;
    try {
      show(button, await session(button));
    } catch (error) {
      button.disabled = false;
      fail(button, error.code ?? "unreachable", error.message);
    }
  });
})();
