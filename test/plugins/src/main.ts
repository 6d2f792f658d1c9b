import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Registry } from "./registry.ts";

// What a stranger does, in the order in which they do it: each step needs the ones before.
const root = fileURLToPath(new URL("../../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "millrace-plugins-"));
let passed = 0;

function run(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`'${command} ${args.join(" ")}' in ${cwd} failed:\n${stdout.slice(-8000)}${stderr.slice(-8000)}`);
  }
}

async function step(what: string, work: () => void | Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  passed += 1;
  console.log(`ok    ${what}  ${Math.round(performance.now() - began)} ms`);
}

const expectText = (printed: string, wanted: RegExp) => {
  if (!wanted.test(printed)) throw new Error(`expected ${wanted} in:\n${printed.slice(-8000)}`);
};

async function main(): Promise<void> {
  const upstream = run(root, process.env, "npm", "config", "get", "registry").trim();
  await using registry = await Registry.start(directory, upstream);
  const userconfig = join(directory, "npmrc");
  writeFileSync(
    userconfig,
    `registry=${registry.url}\n//${new URL(registry.url).host}/:_authToken=nobody\nfund=false\naudit=false\n`,
  );
  const clean = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS)/i.test(name));
  const env = {
    ...Object.fromEntries(clean),
    NPM_CONFIG_USERCONFIG: userconfig,
    npm_config_cache: join(directory, "cache"),
  };

  await step("every public package is packed, checked and published to a registry", () => {
    const printed = run(root, env, "pnpm", "-s", "release", "--dry-run", "--out", directory);
    expectText(printed, /release: \d+ packages ready, 0 not/);
    for (const file of globSync("tarballs/*.tgz", { cwd: directory }))
      run(directory, env, "npm", "publish", `./${file}`, "--access", "public", "--provenance=false");
  });
  const home = join(directory, "stranger");
  mkdirSync(home);
  const project = join(home, "backend-otters");
  await step("npm create millrace-backend writes a project", () =>
    expectText(
      run(home, env, "npm", "create", "--yes", "millrace-backend", "backend-otters"),
      /The backend otters is in/,
    ),
  );
  await step("npm installs what it needs", () => void run(project, env, "npm", "install"));
  await step("its own tests pass", () => expectText(run(project, env, "npm", "test"), /3 passed/));
  await step("it is built", () => void run(project, env, "npm", "run", "build"));
  const conformance = (...args: string[]) => run(project, env, "npx", "millrace-conformance", "run", ...args);
  await step("an agent loads it by path: it shows what it claims, and the rest is unclaimed", () => {
    const printed = conformance("--backend", ".");
    expectText(printed, /conformance: 4 passed, 0 failed/);
    expectText(printed, /unclaimed/);
  });
  await step("an agent loads it by the name of its package", () => {
    const user = join(home, "user");
    mkdirSync(user);
    writeFileSync(join(user, "package.json"), '{ "name": "user", "private": true, "type": "module" }');
    run(user, env, "npm", "install", project, "@millrace/conformance");
    const printed = run(
      user,
      env,
      "npx",
      "millrace-conformance",
      "run",
      "--backend",
      "backend-otters",
      "--family",
      "4",
    );
    expectText(printed, /conformance: 2 passed, 0 failed/);
  });
  await step("pnpm installs the same, and the kit runs from there", () => {
    rmSync(join(project, "node_modules"), { recursive: true });
    run(project, { ...env, npm_config_store_dir: join(directory, "store") }, "pnpm", "install", "--ignore-workspace");
    const printed = run(project, env, "pnpm", "exec", "millrace-conformance", "run", "--backend", ".", "--family", "4");
    expectText(printed, /conformance: 2 passed, 0 failed/);
  });
}

try {
  await main();
  console.log(`plugins: ${passed} passed, 0 failed`);
} catch (error) {
  console.error((error as Error).message);
  console.log(`plugins: ${passed} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
