// node oidc.mjs REDIRECT_URI…: the OpenID provider `oidc-provider` on a free port of 127.0.0.1,
// which is printed first ({"issuer":…}). Whoever comes is logged in as the account that was named
// last, and agrees to everything. Lines of the standard input, each answered by {}:
//   {"account":ID,"claims":{…}}  who comes from now on, and what is told of him
//   {"keys":NAME}                begins anew, with keys of that name
//   {"down":true|false}          answers nothing but 503
import { generateKeyPairSync } from "node:crypto";
import http from "node:http";
import readline from "node:readline";
import { Provider } from "oidc-provider";

console.log = console.info = console.warn = console.error; // the standard output is answers only
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const redirects = process.argv.slice(2);
const accounts = new Map();
let account = "nobody";
let provider;
let down = false;
let issuer;

const jwk = (name, alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  kid: `${name}-${alg}`, alg, use: "sig",
});
const keysOf = (name) => [
  jwk(name, "RS256", "rsa", { modulusLength: 2048 }),
  jwk(name, "ES256", "ec", { namedCurve: "P-256" }),
  jwk(name, "EdDSA", "ed25519", {}),
];

const client = (id, more) => ({
  client_id: id, redirect_uris: redirects, response_types: ["code"],
  grant_types: ["authorization_code"], ...more,
});

const begin = (name) => {
  provider = new Provider(issuer, {
    jwks: { keys: keysOf(name) },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
    clients: [
      client("basic", { client_secret: "a secret: with %", id_token_signed_response_alg: "RS256" }),
      client("post", { client_secret: "post secret", id_token_signed_response_alg: "ES256",
        token_endpoint_auth_method: "client_secret_post" }),
      client("public", { token_endpoint_auth_method: "none",
        id_token_signed_response_alg: "EdDSA" }),
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"],
      groups: ["groups"] },
    scopes: ["openid", "email", "profile", "groups"],
    conformIdTokenClaims: redirects.length > 0 && process.env.USERINFO_ONLY === "1",
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ["a key of the test"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts.get(id) }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid email profile groups");
      await grant.save();
      return grant;
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
};

const server = http.createServer(async (request, response) => {
  if (down) {
    response.writeHead(503).end();
  } else if (request.url.startsWith("/interaction/")) {
    await provider.interactionFinished(request, response, { login: { accountId: account } },
      { mergeWithLastSubmission: false });
  } else {
    provider.callback()(request, response);
  }
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  begin("first");
  tell({ issuer });
});

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const wish = JSON.parse(line);
  if (wish.account) {
    account = wish.account;
    accounts.set(account, wish.claims);
  }
  if (wish.keys) begin(wish.keys);
  if (wish.down !== undefined) down = wish.down;
  tell({});
}).on("close", () => process.exit(0));
