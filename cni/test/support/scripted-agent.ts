import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is done with a request: an object is answered as a line of JSON, a text as it is, a function does as it likes. */
export type Script = object | string | ((socket: Socket, line: string) => void);

export interface ScriptedAgent extends AsyncDisposable {
  readonly socket: string;
  /** The lines that came, without the line feed. */
  readonly requests: string[];
}

/** A directory that is removed with the test. */
export function scratch(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "millrace-cni-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Stands in for the agent on a UNIX socket: what a plugin sends and how it takes what comes back is what these tests are about. */
export async function scriptedAgent(script: Script = { ok: true }): Promise<ScriptedAgent> {
  const directory = scratch();
  const socket = join(directory.path, "cni.sock");
  const requests: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((peer) => {
    open.add(peer);
    // A plugin that gave up closes while there is more to say.
    peer.on("error", () => peer.destroy()).on("close", () => open.delete(peer));
    let text = "";
    let asked = false;
    peer.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0 || asked) return;
      asked = true;
      requests.push(text.slice(0, end));
      if (typeof script === "function") script(peer, text.slice(0, end));
      else peer.end(typeof script === "string" ? script : `${JSON.stringify(script)}\n`);
    });
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    socket,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const peer of open) peer.destroy();
      await closed;
      directory[Symbol.dispose]();
    },
  };
}
