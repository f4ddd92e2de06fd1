// Runs every public method of the official client against a platform and prints what each answered.
// Standard input: {mode: "methods" | "verify", url, key, signing_key, …}; standard output: one JSON object.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Nango } from '@nangohq/node';

const given = JSON.parse(readFileSync(0, 'utf8'));
const nango = new Nango({ host: given.url, secretKey: given.key, webhookSigningKey: given.signing_key });
const told = {};

/** What an answer is to a test: an HTTP answer as its status and data, anything else as it is. */
function plain(answer) {
    return answer && typeof answer === 'object' && 'config' in answer && 'data' in answer
        ? { status: answer.status, data: answer.data }
        : answer;
}

async function call(name, method, ...args) {
    try {
        told[name] = { value: plain(await nango[method](...args)) ?? null };
    } catch (error) {
        told[name] = { status: error.response?.status ?? null, body: error.response?.data ?? String(error) };
    }
    return told[name].value;
}

async function until(what, ask) {
    for (let turn = 0; turn < 300; turn++) {
        if (await ask()) return;
        await pause(100);
    }
    throw new Error(`not in time: ${what}`);
}

async function methods() {
    const key = 'node-key', oauth = 'node-oauth', person = given.connection, where = { providerConfigKey: key, connectionId: person };
    const waiting = call('waitForConnection', 'waitForConnection', key, 'user-of-node'); // it first waits 10 s

    await call('listProviders', 'listProviders', { search: 'third party' });
    await call('getProvider', 'getProvider', { provider: 'tp-key' });
    await call('getProviderTemplates', 'getProviderTemplates', { provider: 'tp-key' });

    await call('createIntegration', 'createIntegration', {
        unique_key: 'node-made', provider: 'tp-oauth', display_name: 'Gemacht',
        credentials: { type: 'OAUTH2', client_id: 'id', client_secret: 'secret', scopes: 'a,b' },
    });
    await call('updateIntegration', 'updateIntegration', { uniqueKey: 'node-made' }, { display_name: 'Geändert' });
    await call('getIntegration', 'getIntegration', { uniqueKey: 'node-made' }, { include: ['credentials'] });
    await call('listIntegrations', 'listIntegrations');
    await call('deleteIntegration', 'deleteIntegration', 'node-made');
    await call('getIntegration/deleted', 'getIntegration', { uniqueKey: 'node-made' });
    await call('createQuickstartIntegration', 'createQuickstartIntegration', { unique_key: 'node-quick', provider: 'tp-key' });
    await call('createQuickstartIntegration/oauth', 'createQuickstartIntegration', { unique_key: 'node-quick-2', provider: 'tp-oauth' });

    await call('listFunctions', 'listFunctions', { uniqueKey: key }, { type: 'sync' });
    await call('getFunction', 'getFunction', { uniqueKey: key, name: 'people' });
    await call('getFunctionCode', 'getFunctionCode', { uniqueKey: key, name: 'people' }, { type: 'sync' });
    await call('deleteFunction', 'deleteFunction', { uniqueKey: key, name: 'people' }, { type: 'sync' });
    await call('getScriptsConfig', 'getScriptsConfig');
    await call('getScriptsConfig/openai', 'getScriptsConfig', 'openai');

    await call('listConnections', 'listConnections', { integrationId: [key, oauth], tags: { plan: 'größer' }, limit: 5, page: 0 });
    await call('listConnections/positional', 'listConnections', person);
    await call('getConnection', 'getConnection', key, person);
    await call('getConnection/unknown', 'getConnection', key, 'nobody');
    await call('getConnection/refresh', 'getConnection', oauth, person, true, true);
    await call('getToken', 'getToken', oauth, person);
    await call('getToken/key', 'getToken', key, person);
    await call('getRawTokenResponse', 'getRawTokenResponse', oauth, person);
    await call('setMetadata', 'setMetadata', key, person, { a: { b: 'ß' }, c: 1 });
    await call('updateMetadata', 'updateMetadata', key, [person], { c: 2 });
    await call('getMetadata', 'getMetadata', key, person);
    await call('patchConnection', 'patchConnection', { connectionId: person, provider_config_key: key }, { tags: { plan: 'kleiner' } });

    await call('createConnectSession', 'createConnectSession', { end_user: { id: 'u', email: 'u@example.org' }, allowed_integrations: [key] });
    await call('createReconnectSession', 'createReconnectSession', { connection_id: person, integration_id: key });
    await call('getEnvironmentVariables', 'getEnvironmentVariables');

    await until('the first sync', async () => (await nango.syncStatus(key, ['people'], person)).syncs[0]?.status === 'SUCCESS');
    await call('syncStatus', 'syncStatus', key, '*', person);
    const page = await call('listRecords', 'listRecords', { ...where, model: 'Person', limit: 2 });
    await call('listRecords/next', 'listRecords', { ...where, model: 'Person', cursor: page.next_cursor, filter: 'ADDED,deleted' });
    await call('listRecords/ids', 'listRecords', { ...where, model: 'Person', ids: ['0', '2'], delta: '2999-01-01T00:00:00Z' });
    await call('pruneRecords', 'pruneRecords', { ...where, model: 'Person', untilCursor: page.next_cursor });
    await call('triggerSync', 'triggerSync', key, ['people'], person, { reset: true });
    await call('pauseSync', 'pauseSync', key, ['people'], person);
    await call('startSync', 'startSync', key, [{ name: 'people', variant: 'base' }], person);
    await call('updateSyncConnectionFrequency', 'updateSyncConnectionFrequency', key, 'people', person, 'every 2 hours');
    await call('updateSyncConnectionFrequency/short', 'updateSyncConnectionFrequency', key, 'people', person, 'every 5 seconds');
    const variant = { provider_config_key: key, connection_id: person, name: 'people', variant: 'second' };
    await call('createSyncVariant', 'createSyncVariant', variant);
    await call('deleteSyncVariant', 'deleteSyncVariant', variant);
    await call('deleteSyncVariant/again', 'deleteSyncVariant', variant);

    await call('triggerAction', 'triggerAction', key, person, 'greet', { name: 'Zoë' });
    await call('triggerAction/refused', 'triggerAction', key, person, 'refuse');
    await call('triggerAction/unknown', 'triggerAction', key, person, 'nothing-like-it');
    const queued = await call('triggerActionAsync', 'triggerActionAsync', key, person, 'echo', { deep: [{ ü: 'ö' }] });
    const ask = { statusUrl: queued.statusUrl };
    await until('the action', async () => (await call('getAsyncActionResult', 'getAsyncActionResult', ask)) !== undefined);
    await call('getAsyncActionResult/id', 'getAsyncActionResult', { id: queued.id });

    await call('proxy', 'proxy', { ...where, method: 'PUT', endpoint: '/echo', params: { q: 'ü' }, headers: { 'x-own': 'yes' }, data: { a: 1 }, retries: 1 });
    for (const verb of ['get', 'post', 'put', 'patch', 'delete']) {
        await call(verb, verb, { ...where, endpoint: `/echo/${verb}`, ...(verb === 'get' || verb === 'delete' ? {} : { data: { verb } }) });
    }
    await call('get/refused', 'get', { ...where, endpoint: '/status/418' });

    await waiting;
    await call('deleteConnection', 'deleteConnection', key, given.spare);
    await call('deleteConnection/again', 'deleteConnection', key, given.spare);
}

/** Both checks, for each delivery as it was received, and for each with one letter of the body changed. */
function verify() {
    told.deliveries = given.deliveries.map(({ body, headers }) => {
        const parsed = JSON.parse(body);
        return {
            type: parsed.type,
            incoming: nango.verifyIncomingWebhookRequest(body, headers),
            older: nango.verifyWebhookSignature(headers['x-nango-signature'], parsed),
            changed: nango.verifyIncomingWebhookRequest(body.replace('"type"', '"Type"'), headers),
            older_changed: nango.verifyWebhookSignature(headers['x-nango-signature'], { ...parsed, added: 1 }),
        };
    });
}

await (given.mode === 'verify' ? verify() : methods());
process.stdout.write(JSON.stringify(told));
