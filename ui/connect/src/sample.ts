/** What a preview shows while it has no session: nothing of it exists, nothing is connected. */

import type { Integration, Provider, Session } from './wire';

export const SAMPLE_SESSION: Session = {};

export const SAMPLE_INTEGRATIONS: Integration[] = [
  { unique_key: 'crm', display_name: 'Example CRM', provider: 'sample-oauth' },
  { unique_key: 'files', display_name: 'Example Files', provider: 'sample-oauth' },
  { unique_key: 'tickets', display_name: 'Example Tickets', provider: 'sample-key' },
];

export const SAMPLE_PROVIDERS: Record<string, Provider> = {
  'sample-oauth': { name: 'sample-oauth', display_name: 'Example', auth_mode: 'OAUTH2' },
  'sample-key': {
    name: 'sample-key',
    display_name: 'Example',
    auth_mode: 'API_KEY',
    connection_config: { subdomain: { title: 'Subdomain', example: 'acme', suffix: '.example.com' } },
  },
};
