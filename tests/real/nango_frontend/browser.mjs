// As much of a browser as the SDK's popup flow needs: window.open, and a popup that follows redirects with cookies.

const popups = [];

class Popup {
    constructor() {
        this.closed = false;
        this.visited = [];
        const popup = this;
        this.view = {
            get href() { return popup.visited.at(-1) ?? 'about:blank'; },
            set href(url) { popup.go(url); },
            assign(url) { popup.go(url); },
            replace(url) { popup.go(url); },
        };
    }

    get location() { return this.view; }
    set location(url) { this.go(url); }
    close() { this.closed = true; }
    focus() {}

    /** Follow redirects to the last page, as a person who agrees to everything (or refuses, see `refusing`). */
    async go(url) {
        let cookie = '', at = String(url);
        for (let step = 0; step < 10; step++) {
            this.visited.push(at);
            const answer = await fetch(at, { redirect: 'manual', headers: cookie ? { cookie } : {} });
            const given = answer.headers.get('set-cookie');
            if (given) cookie = given.split(';')[0];
            const next = answer.headers.get('location');
            this.status = answer.status;
            if (!next) return;
            at = this.refusing && next.includes('code=') ? next.replace(/code=[^&]*/, 'error=access_denied') : next;
        }
    }
}

export function installBrowser(settings) {
    globalThis.window = {
        open() {
            if (settings.blocked) return null;
            const popup = new Popup();
            popup.refusing = settings.refusing;
            popups.push(popup);
            return popup;
        },
        addEventListener() {},
        removeEventListener() {},
        screen: { width: 1000, height: 1000 },
        innerWidth: 1000, innerHeight: 1000, screenX: 0, screenY: 0,
        location: { origin: 'http://app.test' },
    };
}

export const lastPopup = () => popups.at(-1);
