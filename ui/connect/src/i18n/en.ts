/** Every sentence of the page. The other languages have the same keys, or the page does not compile. */

const en = {
  title: 'Connect an account',
  titleFor: (name: string) => `Connect ${name}`,
  titleAgain: (name: string) => `Reconnect ${name}`,
  loading: 'Loading…',
  close: 'Close',
  back: 'Back',
  optional: 'optional',
  opensNewWindow: 'opens in a new window',
  poweredBy: (name: string) => `Secured by ${name}`,

  pickLead: 'Choose what you would like to connect.',
  search: 'Search',
  searchFor: 'Search integrations',
  nothingFound: (text: string) => `Nothing matches “${text}”.`,
  nothingToConnect: 'There is nothing to connect yet. Ask whoever sent you here to set up an integration.',
  found: (count: number) => (count === 1 ? '1 result' : `${count} results`),

  leadForm: (name: string) => `Enter the details of your ${name} account.`,
  leadPopup: (name: string) =>
    `A window of ${name} opens, in which you sign in and agree. Then you come back here.`,
  leadPopupForm: (name: string) => `Enter the details of your ${name} account, then sign in there.`,
  leadNone: (name: string) => `${name} needs no sign-in. Connect it with one click.`,
  leadStore: (name: string) => `Connect here first, then install the app in the store of ${name}.`,
  leadAgain: (name: string) =>
    `Authorize your ${name} account again. Its settings and data stay as they are.`,
  keptWhenBlank: 'Leave it blank to keep what is stored.',
  connect: 'Connect',
  continueTo: (name: string) => `Continue to ${name}`,
  guide: (name: string) => `How to connect ${name}`,
  whereToFind: 'Where to find it',
  show: (field: string) => `Show ${field}`,
  hide: (field: string) => `Hide ${field}`,
  choose: 'Choose…',
  stored: 'Your details are stored encrypted.',
  checking: (name: string) => `Checking with ${name}…`,

  waiting: (name: string) => `Waiting for ${name}`,
  waitingText: 'Finish signing in, in the window that opened. This page goes on by itself.',
  leaving: (name: string) => `One moment: on to ${name}…`,
  showWindow: 'Show the window',
  cancel: 'Cancel',
  blocked: 'Your browser blocked the window',
  blockedText:
    'Click the button to open it. If it stays blocked, allow pop-ups for this page in your browser.',
  openWindow: 'Open the window',
  closedEarly: 'The window was closed',
  closedEarlyText: 'Nothing is connected yet. Try again, and keep the window open until you have agreed.',
  tryAgain: 'Try again',

  leadDevice: (name: string) => `You get a code to type in at ${name}, on this or another device.`,
  codeTitle: (name: string) => `Your code for ${name}`,
  codeText: (place: string) => `Open ${place} on any device, sign in and enter this code:`,
  codeWaiting: 'This page goes on by itself once you have agreed.',
  codeOpen: (name: string) => `Open ${name}`,
  codeCopy: 'Copy the code',
  codeCopied: 'Copied',
  errorCodeExpired: 'The code was not used in time. Get a new one.',

  done: 'Connected',
  doneText: (name: string) => `Your ${name} account is connected.`,
  doneAgainText: (name: string) => `Your ${name} account is authorized again.`,
  pending: 'Almost done',
  pendingText: (name: string) =>
    `Your ${name} account is known. An owner must still approve the installation; nothing else is left for you to do.`,
  pendingStore: (name: string) =>
    `Now install the app in the store of ${name}. The account is connected as soon as ${name} reports it.`,
  finish: 'Finish',
  another: 'Connect another account',
  canClose: 'You can close this window now.',

  field: {
    apiKey: 'API key',
    username: 'User name',
    password: 'Password',
    client_id: 'Client ID',
    client_secret: 'Client secret',
    client_certificate: 'Client certificate (PEM)',
    client_private_key: 'Private key (PEM)',
    token_id: 'Token ID',
    token_secret: 'Token secret',
    organization_id: 'Organization ID',
    dev_key: 'Developer key',
    role_arn: 'Role ARN',
    region: 'Region',
    oauth_client_id_override: 'Your own client ID',
    oauth_client_secret_override: 'Your own client secret',
    oauth_refresh_token_override: 'Refresh token',
  },

  required: (field: string) => `“${field}” is needed.`,
  badChoice: 'Choose one of the values offered.',
  badPattern: (field: string) => `This does not look right for “${field}”.`,
  badHostname: 'Enter a host name, without https:// and without a path.',
  badUuid: 'Enter an identifier of 32 digits and letters with hyphens.',
  badEmail: 'Enter an e-mail address.',
  badUri: 'Enter a whole address that begins with https://.',
  badCharacters: 'This contains characters that cannot be typed, such as a line break. Paste it again.',
  forExample: (example: string) => `For example: ${example}`,
  mending: (count: number) => (count === 1 ? 'Please mend one field.' : `Please mend ${count} fields.`),

  errorTitle: 'That did not work',
  errorTest: (name: string) => `${name} did not accept these details. Check them and try again.`,
  errorValidation:
    'This account was not accepted. Check that it is the right one, or ask whoever sent you here.',
  errorInvalid: 'Something in these details is not right. Check the fields and try again.',
  errorProvider: (name: string) =>
    `${name} refused. Try again; if it stays so, check the rights of your account.`,
  errorDenied: (name: string) =>
    `You did not agree in the window of ${name}. Try again if that was not meant.`,
  errorNotAllowed: 'This integration is not part of your invitation. Ask whoever sent you here.',
  errorCapped: 'No more accounts can be connected at the moment. Ask whoever sent you here.',
  errorOffline: 'The server cannot be reached. Check your connection and try again.',
  errorBusy: 'There were too many attempts. Wait a minute and try again.',
  errorUnknown: 'Something went wrong. Try again; if it stays so, tell whoever sent you here.',
  errorDetail: 'In detail',
  errorSetup: 'The integration is not set up completely. Tell whoever sent you here.',
  errorState: 'The sign-in took too long or came back to another browser. Try again.',

  sessionOver: 'This session has ended',
  sessionOverText: 'For your safety, it lasts half an hour only. Close this and start again.',
  sessionOverLink: 'For your safety, a link works for half an hour only. Ask for a new one.',
  noToken: 'Nothing to connect with',
  noTokenText: 'The page that opened this did not say who you are. Close this and start again.',
  noTokenLink: 'The link is not complete. Open it again as you received it.',
  notEmbeddable: 'This page may not be shown here',
  notEmbeddableText: 'Whoever runs it does not allow it on this site.',
  preview: 'Preview',
};

export default en;

type Wide<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => string
    ? (...args: A) => string
    : T[K] extends string
      ? string
      : Wide<T[K]>;
};

export type Words = Wide<typeof en>;
