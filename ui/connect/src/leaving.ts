/** The script of `popup.html`: begins an authorization and leaves for the provider. */

import type { PopupMessage } from './popup';

const opener = window.opener as Window | null;
const own = window.location.origin;
let gone = false;

function tell(message: PopupMessage): void {
  opener?.postMessage(message, own);
}

async function leave(url: string, token: string, body: unknown): Promise<void> {
  const target = new URL(url);
  if (target.origin !== own) return; // the token never goes elsewhere
  try {
    const headers = {
      Authorization: `Bearer ${token}`,
      Accept: 'application/json',
      'Content-Type': 'application/json',
    };
    const answer = await fetch(target, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      credentials: 'same-origin',
      redirect: 'error',
      cache: 'no-store',
    });
    const content = (await answer.json()) as {
      data?: { url?: string; connectionId?: string; providerConfigKey?: string };
      error?: { code?: string; message?: string };
    };
    const next = content.data?.url;
    if (answer.ok && next !== undefined && /^https?:\/\//.test(next)) {
      window.location.replace(next);
      return;
    }
    const { connectionId, providerConfigKey = '' } = content.data ?? {};
    if (answer.ok && connectionId !== undefined) {
      tell({ type: 'dragoman_popup_connected', connectionId, providerConfigKey }); // nobody had to be asked
      return;
    }
    const { code = 'unknown_error', message = '' } = content.error ?? {};
    tell({ type: 'dragoman_popup_failed', code, message });
  } catch {
    tell({ type: 'dragoman_popup_failed', code: 'offline', message: '' });
  }
}

window.addEventListener('message', (event: MessageEvent<PopupMessage | undefined>) => {
  if (event.source !== opener || event.origin !== own || gone) return;
  if (event.data?.type !== 'dragoman_popup_go') return;
  gone = true;
  const place = document.getElementById('wording');
  if (place !== null) place.textContent = event.data.wording;
  document.title = event.data.wording;
  void leave(event.data.url, event.data.token, event.data.body);
});
tell({ type: 'dragoman_popup_ready' });
