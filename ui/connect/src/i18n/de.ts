import type { Words } from './en';

const de: Words = {
  title: 'Konto verbinden',
  titleFor: (name) => `${name} verbinden`,
  titleAgain: (name) => `${name} erneut verbinden`,
  loading: 'Wird geladen …',
  close: 'Schließen',
  back: 'Zurück',
  optional: 'freiwillig',
  opensNewWindow: 'öffnet ein neues Fenster',
  poweredBy: (name) => `Gesichert durch ${name}`,

  pickLead: 'Wählen Sie, was Sie verbinden möchten.',
  search: 'Suchen',
  searchFor: 'Integrationen durchsuchen',
  nothingFound: (text) => `Nichts passt zu „${text}“.`,
  nothingToConnect:
    'Es gibt noch nichts zu verbinden. Bitten Sie die Person, die Sie hierher geschickt hat, eine Integration einzurichten.',
  found: (count) => (count === 1 ? '1 Treffer' : `${count} Treffer`),

  leadForm: (name) => `Geben Sie die Daten Ihres ${name}-Kontos ein.`,
  leadPopup: (name) =>
    `Es öffnet sich ein Fenster von ${name}, in dem Sie sich anmelden und zustimmen. Danach geht es hier weiter.`,
  leadPopupForm: (name) => `Geben Sie die Daten Ihres ${name}-Kontos ein und melden Sie sich dann dort an.`,
  leadNone: (name) => `${name} braucht keine Anmeldung. Ein Klick genügt.`,
  leadStore: (name) => `Verbinden Sie zuerst hier, dann installieren Sie die App im Store von ${name}.`,
  leadAgain: (name) =>
    `Geben Sie Ihr ${name}-Konto erneut frei. Einstellungen und Daten bleiben, wie sie sind.`,
  keptWhenBlank: 'Leer lassen, um den gespeicherten Wert zu behalten.',
  connect: 'Verbinden',
  continueTo: (name) => `Weiter zu ${name}`,
  guide: (name) => `So verbinden Sie ${name}`,
  whereToFind: 'Wo Sie das finden',
  show: (field) => `${field} anzeigen`,
  hide: (field) => `${field} verbergen`,
  choose: 'Bitte wählen …',
  stored: 'Ihre Angaben werden verschlüsselt gespeichert.',
  checking: (name) => `Wird bei ${name} geprüft …`,

  waiting: (name) => `Warten auf ${name}`,
  waitingText:
    'Schließen Sie die Anmeldung im geöffneten Fenster ab. Diese Seite geht dann von selbst weiter.',
  leaving: (name) => `Einen Moment: weiter zu ${name} …`,
  showWindow: 'Fenster anzeigen',
  cancel: 'Abbrechen',
  blocked: 'Ihr Browser hat das Fenster blockiert',
  blockedText:
    'Öffnen Sie es mit der Schaltfläche. Bleibt es blockiert, erlauben Sie für diese Seite Pop-ups im Browser.',
  openWindow: 'Fenster öffnen',
  closedEarly: 'Das Fenster wurde geschlossen',
  closedEarlyText:
    'Noch ist nichts verbunden. Versuchen Sie es noch einmal und lassen Sie das Fenster offen, bis Sie zugestimmt haben.',
  tryAgain: 'Noch einmal versuchen',

  leadDevice: (name) =>
    `Sie erhalten einen Code, den Sie bei ${name} eingeben, auf diesem oder einem anderen Gerät.`,
  codeTitle: (name) => `Ihr Code für ${name}`,
  codeText: (place) =>
    `Öffnen Sie ${place} auf einem beliebigen Gerät, melden Sie sich an und geben Sie diesen Code ein:`,
  codeWaiting: 'Sobald Sie zugestimmt haben, geht es hier von selbst weiter.',
  codeOpen: (name) => `${name} öffnen`,
  codeCopy: 'Code kopieren',
  codeCopied: 'Kopiert',
  errorCodeExpired: 'Der Code wurde nicht rechtzeitig verwendet. Holen Sie sich einen neuen.',

  done: 'Verbunden',
  doneText: (name) => `Ihr ${name}-Konto ist verbunden.`,
  doneAgainText: (name) => `Ihr ${name}-Konto ist wieder freigegeben.`,
  pending: 'Fast fertig',
  pendingText: (name) =>
    `Ihr ${name}-Konto ist bekannt. Ein Inhaber muss die Installation noch genehmigen; für Sie ist nichts weiter zu tun.`,
  pendingStore: (name) =>
    `Installieren Sie jetzt die App im Store von ${name}. Das Konto ist verbunden, sobald ${name} es meldet.`,
  finish: 'Fertig',
  another: 'Weiteres Konto verbinden',
  canClose: 'Sie können dieses Fenster jetzt schließen.',

  field: {
    apiKey: 'API-Schlüssel',
    username: 'Benutzername',
    password: 'Passwort',
    client_id: 'Client-ID',
    client_secret: 'Client-Geheimnis',
    client_certificate: 'Client-Zertifikat (PEM)',
    client_private_key: 'Privater Schlüssel (PEM)',
    token_id: 'Token-ID',
    token_secret: 'Token-Geheimnis',
    organization_id: 'Organisations-ID',
    dev_key: 'Entwicklerschlüssel',
    role_arn: 'Rollen-ARN',
    region: 'Region',
    oauth_client_id_override: 'Eigene Client-ID',
    oauth_client_secret_override: 'Eigenes Client-Geheimnis',
    oauth_refresh_token_override: 'Refresh-Token',
  },

  required: (field) => `„${field}“ wird benötigt.`,
  badChoice: 'Wählen Sie einen der angebotenen Werte.',
  badPattern: (field) => `Das sieht für „${field}“ nicht richtig aus.`,
  badHostname: 'Geben Sie einen Hostnamen ein, ohne https:// und ohne Pfad.',
  badUuid: 'Geben Sie eine Kennung aus 32 Ziffern und Buchstaben mit Bindestrichen ein.',
  badEmail: 'Geben Sie eine E-Mail-Adresse ein.',
  badUri: 'Geben Sie eine vollständige Adresse ein, die mit https:// beginnt.',
  badCharacters:
    'Darin stehen unsichtbare Zeichen, etwa ein Zeilenumbruch. Fügen Sie den Wert noch einmal ein.',
  forExample: (example) => `Zum Beispiel: ${example}`,
  mending: (count) =>
    count === 1 ? 'Bitte berichtigen Sie ein Feld.' : `Bitte berichtigen Sie ${count} Felder.`,

  errorTitle: 'Das hat nicht geklappt',
  errorTest: (name) =>
    `${name} hat diese Angaben nicht angenommen. Prüfen Sie sie und versuchen Sie es noch einmal.`,
  errorValidation:
    'Dieses Konto wurde nicht angenommen. Prüfen Sie, ob es das richtige ist, oder fragen Sie die Person, die Sie hierher geschickt hat.',
  errorInvalid: 'Eine der Angaben stimmt nicht. Prüfen Sie die Felder und versuchen Sie es noch einmal.',
  errorProvider: (name) =>
    `${name} hat abgelehnt. Versuchen Sie es noch einmal; bleibt es dabei, prüfen Sie die Rechte Ihres Kontos.`,
  errorDenied: (name) =>
    `Sie haben im Fenster von ${name} nicht zugestimmt. Falls das ein Versehen war, versuchen Sie es noch einmal.`,
  errorNotAllowed:
    'Diese Integration gehört nicht zu Ihrer Einladung. Fragen Sie die Person, die Sie hierher geschickt hat.',
  errorCapped:
    'Zurzeit können keine weiteren Konten verbunden werden. Fragen Sie die Person, die Sie hierher geschickt hat.',
  errorOffline:
    'Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.',
  errorBusy: 'Das waren zu viele Versuche. Warten Sie eine Minute und versuchen Sie es noch einmal.',
  errorUnknown:
    'Etwas ist schiefgegangen. Versuchen Sie es noch einmal; bleibt es dabei, melden Sie es der Person, die Sie hierher geschickt hat.',
  errorDetail: 'Im Einzelnen',
  errorSetup:
    'Die Integration ist nicht vollständig eingerichtet. Melden Sie es der Person, die Sie hierher geschickt hat.',
  errorState:
    'Die Anmeldung hat zu lange gedauert oder kam in einem anderen Browser zurück. Versuchen Sie es noch einmal.',

  sessionOver: 'Diese Sitzung ist beendet',
  sessionOverText:
    'Zu Ihrer Sicherheit gilt sie nur eine halbe Stunde. Schließen Sie dies und beginnen Sie neu.',
  sessionOverLink: 'Zu Ihrer Sicherheit gilt ein Link nur eine halbe Stunde. Bitten Sie um einen neuen.',
  noToken: 'Es fehlt die Sitzung',
  noTokenText:
    'Die Seite, die dies geöffnet hat, hat nicht gesagt, wer Sie sind. Schließen Sie dies und beginnen Sie neu.',
  noTokenLink: 'Der Link ist nicht vollständig. Öffnen Sie ihn noch einmal so, wie Sie ihn bekommen haben.',
  notEmbeddable: 'Diese Seite darf hier nicht gezeigt werden',
  notEmbeddableText: 'Ihr Betreiber erlaubt sie auf dieser Website nicht.',
  preview: 'Vorschau',
};

export default de;
