import type { Words } from './en';

const fr: Words = {
  title: 'Connecter un compte',
  titleFor: (name) => `Connecter ${name}`,
  titleAgain: (name) => `Reconnecter ${name}`,
  loading: 'Chargement…',
  close: 'Fermer',
  back: 'Retour',
  optional: 'facultatif',
  opensNewWindow: 's’ouvre dans une nouvelle fenêtre',
  poweredBy: (name) => `Sécurisé par ${name}`,

  pickLead: 'Choisissez ce que vous souhaitez connecter.',
  search: 'Rechercher',
  searchFor: 'Rechercher une intégration',
  nothingFound: (text) => `Aucun résultat pour « ${text} ».`,
  nothingToConnect:
    'Il n’y a encore rien à connecter. Demandez à la personne qui vous a envoyé ici de configurer une intégration.',
  found: (count) => (count <= 1 ? `${count} résultat` : `${count} résultats`),

  leadForm: (name) => `Saisissez les informations de votre compte ${name}.`,
  leadPopup: (name) =>
    `Une fenêtre ${name} s’ouvre : connectez-vous et donnez votre accord. Vous reviendrez ensuite ici.`,
  leadPopupForm: (name) => `Saisissez les informations de votre compte ${name}, puis connectez-vous là-bas.`,
  leadNone: (name) => `${name} ne demande aucune connexion. Un clic suffit.`,
  leadStore: (name) =>
    `Connectez-vous d’abord ici, puis installez l’application dans la boutique de ${name}.`,
  leadAgain: (name) =>
    `Autorisez à nouveau votre compte ${name}. Ses réglages et ses données ne changent pas.`,
  keptWhenBlank: 'Laissez vide pour conserver la valeur enregistrée.',
  connect: 'Connecter',
  continueTo: (name) => `Continuer vers ${name}`,
  guide: (name) => `Comment connecter ${name}`,
  whereToFind: 'Où le trouver',
  show: (field) => `Afficher : ${field}`,
  hide: (field) => `Masquer : ${field}`,
  choose: 'Choisissez…',
  stored: 'Vos informations sont enregistrées chiffrées.',
  checking: (name) => `Vérification auprès de ${name}…`,

  waiting: (name) => `En attente de ${name}`,
  waitingText: 'Terminez la connexion dans la fenêtre qui s’est ouverte. Cette page continuera d’elle-même.',
  leaving: (name) => `Un instant : direction ${name}…`,
  showWindow: 'Afficher la fenêtre',
  cancel: 'Annuler',
  blocked: 'Votre navigateur a bloqué la fenêtre',
  blockedText:
    'Cliquez sur le bouton pour l’ouvrir. Si elle reste bloquée, autorisez les fenêtres contextuelles pour cette page.',
  openWindow: 'Ouvrir la fenêtre',
  closedEarly: 'La fenêtre a été fermée',
  closedEarlyText:
    'Rien n’est encore connecté. Réessayez et gardez la fenêtre ouverte jusqu’à ce que vous ayez donné votre accord.',
  tryAgain: 'Réessayer',

  leadDevice: (name) => `Vous recevez un code à saisir chez ${name}, sur cet appareil ou un autre.`,
  codeTitle: (name) => `Votre code pour ${name}`,
  codeText: (place) => `Ouvrez ${place} sur n’importe quel appareil, connectez-vous et saisissez ce code :`,
  codeWaiting: 'Cette page continue d’elle-même dès que vous avez accepté.',
  codeOpen: (name) => `Ouvrir ${name}`,
  codeCopy: 'Copier le code',
  codeCopied: 'Copié',
  errorCodeExpired: 'Le code n’a pas été utilisé à temps. Demandez-en un nouveau.',

  done: 'Connecté',
  doneText: (name) => `Votre compte ${name} est connecté.`,
  doneAgainText: (name) => `Votre compte ${name} est à nouveau autorisé.`,
  pending: 'Presque terminé',
  pendingText: (name) =>
    `Votre compte ${name} est enregistré. Un propriétaire doit encore approuver l’installation ; vous n’avez plus rien à faire.`,
  pendingStore: (name) =>
    `Installez maintenant l’application dans la boutique de ${name}. Le compte sera connecté dès que ${name} le signalera.`,
  finish: 'Terminer',
  another: 'Connecter un autre compte',
  canClose: 'Vous pouvez maintenant fermer cette fenêtre.',

  field: {
    apiKey: 'Clé d’API',
    username: 'Nom d’utilisateur',
    password: 'Mot de passe',
    client_id: 'Identifiant client',
    client_secret: 'Secret client',
    client_certificate: 'Certificat client (PEM)',
    client_private_key: 'Clé privée (PEM)',
    token_id: 'Identifiant du jeton',
    token_secret: 'Secret du jeton',
    organization_id: 'Identifiant de l’organisation',
    dev_key: 'Clé de développeur',
    role_arn: 'ARN du rôle',
    region: 'Région',
    oauth_client_id_override: 'Votre propre identifiant client',
    oauth_client_secret_override: 'Votre propre secret client',
    oauth_refresh_token_override: 'Jeton d’actualisation',
  },

  required: (field) => `Il manque « ${field} ».`,
  badChoice: 'Choisissez l’une des valeurs proposées.',
  badPattern: (field) => `Cela ne semble pas correct pour « ${field} ».`,
  badHostname: 'Saisissez un nom d’hôte, sans https:// et sans chemin.',
  badUuid: 'Saisissez un identifiant de 32 chiffres et lettres avec des tirets.',
  badEmail: 'Saisissez une adresse e-mail.',
  badUri: 'Saisissez une adresse complète commençant par https://.',
  badCharacters:
    'Cela contient des caractères invisibles, par exemple un saut de ligne. Collez-le à nouveau.',
  forExample: (example) => `Par exemple : ${example}`,
  mending: (count) => (count === 1 ? 'Veuillez corriger un champ.' : `Veuillez corriger ${count} champs.`),

  errorTitle: 'Cela n’a pas fonctionné',
  errorTest: (name) => `${name} n’a pas accepté ces informations. Vérifiez-les et réessayez.`,
  errorValidation:
    'Ce compte n’a pas été accepté. Vérifiez que c’est le bon, ou demandez à la personne qui vous a envoyé ici.',
  errorInvalid: 'L’une de ces informations n’est pas correcte. Vérifiez les champs et réessayez.',
  errorProvider: (name) =>
    `${name} a refusé. Réessayez ; si cela persiste, vérifiez les droits de votre compte.`,
  errorDenied: (name) =>
    `Vous n’avez pas donné votre accord dans la fenêtre ${name}. Réessayez si c’était une erreur.`,
  errorNotAllowed:
    'Cette intégration ne fait pas partie de votre invitation. Demandez à la personne qui vous a envoyé ici.',
  errorCapped:
    'Aucun autre compte ne peut être connecté pour le moment. Demandez à la personne qui vous a envoyé ici.',
  errorOffline: 'Le serveur est injoignable. Vérifiez votre connexion et réessayez.',
  errorBusy: 'Il y a eu trop de tentatives. Attendez une minute et réessayez.',
  errorUnknown:
    'Un problème est survenu. Réessayez ; si cela persiste, signalez-le à la personne qui vous a envoyé ici.',
  errorDetail: 'En détail',
  errorSetup:
    'L’intégration n’est pas entièrement configurée. Signalez-le à la personne qui vous a envoyé ici.',
  errorState: 'La connexion a pris trop de temps ou est revenue dans un autre navigateur. Réessayez.',

  sessionOver: 'Cette session est terminée',
  sessionOverText: 'Pour votre sécurité, elle ne dure qu’une demi-heure. Fermez ceci et recommencez.',
  sessionOverLink: 'Pour votre sécurité, un lien n’est valable qu’une demi-heure. Demandez-en un nouveau.',
  noToken: 'Il manque la session',
  noTokenText: 'La page qui a ouvert ceci n’a pas dit qui vous êtes. Fermez ceci et recommencez.',
  noTokenLink: 'Le lien n’est pas complet. Ouvrez-le à nouveau tel que vous l’avez reçu.',
  notEmbeddable: 'Cette page ne peut pas être affichée ici',
  notEmbeddableText: 'La personne qui la gère ne l’autorise pas sur ce site.',
  preview: 'Aperçu',
};

export default fr;
