import type { Words } from './en';

const ja: Words = {
  title: 'アカウントを接続',
  titleFor: (name) => `${name} を接続`,
  titleAgain: (name) => `${name} を再接続`,
  loading: '読み込み中…',
  close: '閉じる',
  back: '戻る',
  optional: '任意',
  opensNewWindow: '新しいウィンドウで開きます',
  poweredBy: (name) => `${name} により保護されています`,

  pickLead: '接続するサービスを選んでください。',
  search: '検索',
  searchFor: '連携サービスを検索',
  nothingFound: (text) => `「${text}」に一致するものはありません。`,
  nothingToConnect: '接続できるものがまだありません。このページを案内した担当者に設定を依頼してください。',
  found: (count) => `${count} 件`,

  leadForm: (name) => `${name} アカウントの情報を入力してください。`,
  leadPopup: (name) => `${name} のウィンドウが開きます。ログインして許可すると、この画面に戻ります。`,
  leadPopupForm: (name) => `${name} アカウントの情報を入力し、続いて ${name} にログインしてください。`,
  leadNone: (name) => `${name} はログイン不要です。ワンクリックで接続できます。`,
  leadAgain: (name) => `${name} アカウントをもう一度認証してください。設定とデータはそのまま残ります。`,
  keptWhenBlank: '空欄のままにすると、保存済みの値を使います。',
  connect: '接続する',
  continueTo: (name) => `${name} に進む`,
  guide: (name) => `${name} の接続方法`,
  whereToFind: '確認できる場所',
  show: (field) => `${field}を表示`,
  hide: (field) => `${field}を隠す`,
  choose: '選択してください',
  stored: '入力内容は暗号化して保存されます。',
  checking: (name) => `${name} に確認しています…`,

  waiting: (name) => `${name} の完了を待っています`,
  waitingText: '開いたウィンドウでログインを完了してください。完了すると、この画面は自動的に進みます。',
  leaving: (name) => `${name} に移動しています…`,
  showWindow: 'ウィンドウを表示',
  cancel: 'キャンセル',
  blocked: 'ブラウザーがウィンドウをブロックしました',
  blockedText:
    'ボタンを押して開いてください。それでも開かない場合は、ブラウザーの設定でこのページのポップアップを許可してください。',
  openWindow: 'ウィンドウを開く',
  closedEarly: 'ウィンドウが閉じられました',
  closedEarlyText:
    'まだ接続されていません。もう一度お試しください。許可が終わるまでウィンドウを閉じないでください。',
  tryAgain: 'もう一度試す',

  done: '接続しました',
  doneText: (name) => `${name} アカウントを接続しました。`,
  doneAgainText: (name) => `${name} アカウントを再認証しました。`,
  pending: 'あと少しです',
  pendingText: (name) =>
    `${name} アカウントを確認しました。オーナーによるインストールの承認を待っています。これ以上の操作は必要ありません。`,
  finish: '完了',
  another: '別のアカウントを接続',
  canClose: 'このウィンドウを閉じてかまいません。',

  field: {
    apiKey: 'API キー',
    username: 'ユーザー名',
    password: 'パスワード',
    client_id: 'クライアント ID',
    client_secret: 'クライアントシークレット',
    client_certificate: 'クライアント証明書 (PEM)',
    client_private_key: '秘密鍵 (PEM)',
    token_id: 'トークン ID',
    token_secret: 'トークンシークレット',
    organization_id: '組織 ID',
    dev_key: '開発者キー',
    role_arn: 'ロール ARN',
    region: 'リージョン',
    oauth_client_id_override: '独自のクライアント ID',
    oauth_client_secret_override: '独自のクライアントシークレット',
    oauth_refresh_token_override: 'リフレッシュトークン',
  },

  required: (field) => `${field}を入力してください。`,
  badChoice: '選択肢の中から選んでください。',
  badPattern: (field) => `「${field}」の形式が正しくないようです。`,
  badHostname: 'ホスト名だけを入力してください（https:// やパスは不要です）。',
  badUuid: 'ハイフン区切りの 32 桁の英数字の ID を入力してください。',
  badEmail: 'メールアドレスを入力してください。',
  badUri: 'https:// で始まる完全なアドレスを入力してください。',
  badCharacters: '改行など、使えない文字が含まれています。もう一度貼り付けてください。',
  forExample: (example) => `例: ${example}`,
  mending: (count) => `${count} 件の入力項目を修正してください。`,

  errorTitle: '接続できませんでした',
  errorTest: (name) => `${name} がこの情報を受け付けませんでした。内容を確認して、もう一度お試しください。`,
  errorValidation:
    'このアカウントは受け付けられませんでした。正しいアカウントかどうかを確認するか、このページを案内した担当者にお問い合わせください。',
  errorInvalid: '入力内容に誤りがあります。各項目を確認して、もう一度お試しください。',
  errorProvider: (name) =>
    `${name} に拒否されました。もう一度お試しください。解決しない場合は、アカウントの権限を確認してください。`,
  errorDenied: (name) =>
    `${name} のウィンドウで許可されませんでした。許可する場合は、もう一度お試しください。`,
  errorNotAllowed:
    'この連携は今回の招待に含まれていません。このページを案内した担当者にお問い合わせください。',
  errorCapped: '現在、これ以上アカウントを接続できません。このページを案内した担当者にお問い合わせください。',
  errorOffline: 'サーバーに接続できません。通信環境を確認して、もう一度お試しください。',
  errorBusy: '試行回数が多すぎます。1 分ほど待ってから、もう一度お試しください。',
  errorUnknown:
    '問題が発生しました。もう一度お試しください。解決しない場合は、このページを案内した担当者にお知らせください。',
  errorDetail: '詳細',
  errorSetup: 'この連携の設定が完了していません。このページを案内した担当者にお知らせください。',
  errorState: 'ログインに時間がかかりすぎたか、別のブラウザーに戻りました。もう一度お試しください。',

  sessionOver: 'セッションが終了しました',
  sessionOverText: '安全のため、有効期間は 30 分です。閉じて、最初からやり直してください。',
  sessionOverLink: '安全のため、リンクの有効期間は 30 分です。新しいリンクを依頼してください。',
  noToken: 'セッションがありません',
  noTokenText:
    'このページを開いたサイトから利用者の情報が届きませんでした。閉じて、最初からやり直してください。',
  noTokenLink: 'リンクが不完全です。受け取ったとおりのリンクをもう一度開いてください。',
  notEmbeddable: 'ここではこのページを表示できません',
  notEmbeddableText: '管理者が、このサイトでの表示を許可していません。',
  preview: 'プレビュー',
};

export default ja;
