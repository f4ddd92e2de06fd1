import '@mantine/core/styles/baseline.css';
import '@mantine/core/styles/default-css-variables.css';
import '@mantine/core/styles/global.css';
import '@mantine/core/styles/UnstyledButton.css';
import '@mantine/core/styles/Button.css';
import '@mantine/core/styles/ActionIcon.css';
import '@mantine/core/styles/Input.css';
import '@mantine/core/styles/PasswordInput.css';
import '@mantine/core/styles/Text.css';
import '@mantine/core/styles/Anchor.css';
import '@mantine/core/styles/Loader.css';
import './page.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { foreignApi, readAddress, withoutToken } from './address';
import { chooseLanguage, loadWords } from './i18n';
import { Parent, placeOf } from './protocol';

/** What the server put in for this answer; Mantine's own style elements carry it. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';

const address = window.location.href;
const options = readAddress(address);
if (options.token !== null) window.history.replaceState(null, '', withoutToken(address));
if (foreignApi(address))
  console.warn('Dragoman: apiURL names another origin; the page asks its own server instead.');

const parent = new Parent(placeOf(window));
const root = document.documentElement;
root.dataset.mode = !parent.present ? 'page' : options.embedded ? 'embedded' : 'modal';

const language = chooseLanguage(options.lang, navigator.languages);
root.lang = language;

async function start(): Promise<void> {
  const words = await loadWords(language);
  document.title = words.title;
  const place = document.getElementById('root');
  if (place === null) return;
  createRoot(place).render(
    <App options={options} parent={parent} language={language} words={words} nonce={nonce} />,
  );
}

start().catch(() => {
  document.body.textContent = 'This page could not be loaded. Please load it again.';
});
