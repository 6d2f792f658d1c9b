import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { accessFrom } from "./api-access.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mw-access-"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const serviceAccount = () => join(root, "var/run/secrets/kubernetes.io/serviceaccount");

function inCluster(token: string, ca: string): void {
  mkdirSync(serviceAccount(), { recursive: true });
  writeFileSync(join(serviceAccount(), "token"), `${token}\n`);
  writeFileSync(join(serviceAccount(), "ca.crt"), ca);
}

test("a service account's token and CA are read anew each time", async () => {
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "2001:2::1");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", "443");
  const load = accessFrom({ pathPrefix: root });
  inCluster("one", "CA 1");
  expect(await load()).toMatchObject({
    server: new URL("https://[2001:2::1]"),
    headers: { Authorization: "Bearer one" },
    tls: { ca: Buffer.from("CA 1") },
    proxied: false,
  });
  inCluster("two", "CA 2");
  expect(await load()).toMatchObject({ headers: { Authorization: "Bearer two" }, tls: { ca: Buffer.from("CA 2") } });
});

test("a kubeconfig's certificates, server name and proxy are used", async () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const kubeconfig = join(root, "config");
  writeFileSync(join(root, "key.pem"), "KEY");
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [
        {
          name: "c",
          cluster: {
            server: "https://198.18.0.1:6443",
            "certificate-authority-data": base64("CA"),
            "tls-server-name": "kubernetes",
            "proxy-url": "http://198.18.0.2:3128",
          },
        },
      ],
      users: [{ name: "u", user: { "client-certificate-data": base64("CERT"), "client-key": "key.pem" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  const access = await accessFrom({ kubeconfig })();
  expect(access).toMatchObject({ server: new URL("https://198.18.0.1:6443"), headers: {}, proxied: true });
  expect(access.tls).toEqual({
    ca: Buffer.from("CA"),
    cert: Buffer.from("CERT"),
    key: Buffer.from("KEY"), // beside the kubeconfig, where its relative path leads
    servername: "kubernetes",
  });
  expect(access.agent.constructor.name).toBe("HttpsProxyAgent");
});

test.each([
  [
    "a pod without its token",
    () => vi.stubEnv("KUBERNETES_SERVICE_HOST", "198.18.0.1"),
    /ENOENT.*ca\.crt.*set kubernetes\.kubeconfig/,
  ],
  ["no cluster at all", () => vi.stubEnv("KUBERNETES_SERVICE_HOST", undefined), /KUBERNETES_SERVICE_HOST is not set/],
])("%s is told, with what to do", async (_, prepare, message) => {
  prepare();
  await expect(accessFrom({ pathPrefix: root })()).rejects.toMatchObject({
    code: "ERR_KUBERNETES_ACCESS",
    message: expect.stringMatching(message),
  });
});

test.each([
  ["is not there", undefined, /ENOENT/],
  ["names no cluster", "clusters: []\nusers: []\ncontexts: []\n", /no cluster belongs to the current context/],
])("a kubeconfig that %s is told by its path", async (_, text, message) => {
  const kubeconfig = join(root, "config");
  if (text !== undefined) writeFileSync(kubeconfig, text);
  const failure = accessFrom({ kubeconfig })();
  await expect(failure).rejects.toMatchObject({
    code: "ERR_KUBERNETES_ACCESS",
    message: expect.stringMatching(message),
  });
  await expect(failure).rejects.toThrow(kubeconfig);
});
