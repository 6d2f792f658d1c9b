import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeBundles } from "./bundle.ts";

const CLIENT = createRequire(new URL("../../../packages/watchers/package.json", import.meta.url)).resolve(
  "@kubernetes/client-node",
);

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "millrace-lean-")));
});
afterEach(() => rmSync(root, { recursive: true }));

/** What a program prints that is run as a bundle, in JSON. */
async function printedBy(program: string): Promise<unknown> {
  writeFileSync(join(root, "program.js"), program);
  const directory = join(root, "bundle");
  await writeBundles({ root, entries: ["program.js"], directory });
  return JSON.parse(execFileSync(process.execPath, [join(directory, "program.js")], { encoding: "utf8" }));
}

const HAS_UNDICI = `process.moduleLoadList.some((name) => name.endsWith("undici/undici"))`;

test("modules of Node are themselves, and its undici stays where it is", async () => {
  const printed = await printedBy(`
    import http, { request, createServer as serve, STATUS_CODES } from "node:http";
    import * as all from "http";
    import { Agent } from "node:https";
    const builtIn = process.getBuiltinModule("node:http");
    console.log(JSON.stringify({
      same: http === builtIn && request === builtIn.request && serve === builtIn.createServer && all.METHODS === builtIn.METHODS,
      agent: Agent === process.getBuiltinModule("node:https").Agent,
      status: STATUS_CODES[404],
      undici: ${HAS_UNDICI},
    }));
  `);
  expect(printed).toEqual({ same: true, agent: true, status: "Not Found", undici: false });
});

test("what has undici behind it is refused where the bundle is made", async () => {
  await expect(
    printedBy(`import { WebSocket } from "node:http"; console.log(JSON.stringify(typeof WebSocket));`),
  ).rejects.toThrow(/WebSocket/);
});

test("a kubeconfig is read without the client's API and without undici, which is there when it is asked for", async () => {
  const printed = await printedBy(`
    const { KubeConfig } = await import(${JSON.stringify(CLIENT)});
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: "c", server: "https://198.18.0.1:6443", caData: "Y2E=" }],
      users: [{ name: "u", token: "secret" }],
      contexts: [{ name: "x", cluster: "c", user: "u" }],
      currentContext: "x",
    });
    const options = {};
    await config.applyToHTTPSOptions(options);
    const loaded = () => Object.getOwnPropertySymbols(globalThis).some((symbol) => String(symbol).includes("undici"));
    const before = loaded();
    let dispatcher;
    await config.applySecurityAuthentication({ setDispatcher: (made) => { dispatcher = made; }, setHeaderParam: () => {} });
    console.log(JSON.stringify({
      token: options.headers.Authorization,
      dispatcher: dispatcher?.constructor.name,
      loaded: [before, loaded()],
    }));
  `);
  expect(printed).toEqual({ token: "Bearer secret", dispatcher: "Agent", loaded: [false, true] });
  const chunks = join(root, "bundle/chunks");
  const code = readdirSync(chunks)
    .map((name) => readFileSync(join(chunks, name), "utf8"))
    .join("");
  expect(["class KubeConfig", "V1DeploymentSpec"].filter((part) => code.includes(part))).toEqual(["class KubeConfig"]);
});
