import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";

/** A registry on loopback that has our packages, and passes what it does not have on to the one that npm is set to. */
export class Registry implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(directory: string, upstream: string): Promise<Registry> {
    const port = await freePort();
    const config = join(directory, "verdaccio.yaml");
    const ours =
      "  '{@millrace/*,libbpf-ts,linux-ts,create-millrace-backend,backend-otters}':\n    access: $all\n    publish: $all\n";
    writeFileSync(
      config,
      `storage: ${join(directory, "storage")}
uplinks:
  upstream:
    url: ${upstream}
packages:
${ours}  '**':
    access: $all
    proxy: upstream
max_body_size: 100mb
log: { type: stdout, level: warn }
`,
    );
    const manifest = createRequire(import.meta.url).resolve("verdaccio/package.json");
    const child = spawn(
      process.execPath,
      [join(dirname(manifest), "bin/verdaccio"), "--config", config, "--listen", `127.0.0.1:${port}`],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const url = `http://127.0.0.1:${port}`;
    const deadline = performance.now() + 60_000;
    for (;;) {
      const answers = await fetch(`${url}/-/ping`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (answers) return new Registry(url, child);
      if (performance.now() > deadline || child.exitCode !== null)
        throw new Error(`verdaccio does not answer on ${url}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("listen(2) gave no port");
  return address.port;
}
