/** What the server says, as far as this page reads it. */

export type AuthMode =
  | 'OAUTH1'
  | 'OAUTH2'
  | 'OAUTH2_CC'
  | 'API_KEY'
  | 'BASIC'
  | 'NONE'
  | 'TWO_STEP'
  | 'JWT'
  | 'SIGNATURE'
  | 'TBA'
  | 'BILL'
  | 'APP'
  | 'CUSTOM'
  | 'AWS_SIGV4'
  | 'MCP_OAUTH2'
  | 'MCP_OAUTH2_GENERIC'
  | 'INSTALL_PLUGIN';

export interface FieldSpec {
  type?: string;
  title?: string;
  description?: string;
  example?: string | number | boolean;
  pattern?: string;
  format?: string;
  enum?: string[];
  order?: number;
  optional?: boolean;
  secret?: boolean;
  hidden?: boolean;
  automated?: boolean;
  default_value?: string | number | boolean;
  prefix?: string;
  suffix?: string;
  doc_section?: string;
  visible_when?: { field: string; equals: string | string[] };
  warnings?: Record<string, string>;
}

export type FieldSpecs = Record<string, FieldSpec>;

export interface Provider {
  name: string;
  display_name: string;
  auth_mode: AuthMode;
  docs?: string;
  docs_connect?: string;
  connection_config?: FieldSpecs;
  credentials?: FieldSpecs;
  assertion_option?: FieldSpecs;
  require_client_certificate?: boolean;
  token_request_auth_method?: string;
  authorization_url?: string;
  device_authorization_url?: string;
  /** There where our app is installed in the provider's own store, which the provider then reports. */
  installation?: Record<string, unknown>;
}

/** What the person types in on another device. */
export interface DeviceCode {
  id: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string | null;
  expires_in: number;
  interval: number;
}

export type DeviceStanding =
  | { status: 'pending'; expires_in: number; interval: number }
  | { status: 'connected'; provider_config_key: string; connection_id: string }
  | { status: 'failed'; provider_config_key: string; error: { code: string; message: string } };

export interface Integration {
  unique_key: string;
  display_name: string;
  provider: string;
}

export type ThemeChoice = 'light' | 'dark' | 'system';

export interface Settings {
  theme: { light: { primary: string }; dark: { primary: string } };
  defaultTheme: ThemeChoice;
  showWatermark: boolean;
}

export interface Session {
  endUser?: { display_name?: string | null; email?: string | null } | null;
  allowed_integrations?: string[];
  integrations_config_defaults?: Record<string, { connection_config?: Record<string, unknown> }>;
  overrides?: Record<string, { docs_connect?: string }>;
  isReconnecting?: boolean;
  /** What the account to be authorized again has, but for secrets. */
  stored_connection_config?: Record<string, string>;
  connectUISettings?: Settings;
  websocketsPath?: string;
  /** Pages that may show this one in a frame; absent: any. */
  allowed_embedding_origins?: string[];
}

export interface Connected {
  providerConfigKey: string;
  connectionId: string;
  isPending?: boolean;
}

export interface Issue {
  code?: string;
  message: string;
  path?: (string | number)[];
}
