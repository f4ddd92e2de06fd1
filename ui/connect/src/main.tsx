import '@mantine/core/styles/baseline.css';
import '@mantine/core/styles/default-css-variables.css';
import '@mantine/core/styles/global.css';
import { MantineProvider } from '@mantine/core';
import { createRoot } from 'react-dom/client';

/** What the server put in for this answer; Mantine's own style elements carry it. */
const nonce = () => document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <MantineProvider getStyleNonce={nonce}>
      <main>Connect</main>
    </MantineProvider>,
  );
}
