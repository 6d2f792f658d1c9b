import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "@millrace/conformance";
import type { Attachment, Command } from "./chain.ts";
import { CNI_PATH, CNI_VERSION, ownEntry } from "./plugins.ts";
import { Runtime } from "./runtime.ts";

/** What ptp says of an interface: what a runtime would hand on to us. */
const PREVIOUS = {
  cniVersion: CNI_VERSION,
  interfaces: [
    { name: "veth1c2d3e4f", mac: "02:00:00:00:00:01" },
    { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/bench" },
  ],
  ips: [
    { interface: 1, address: "198.18.64.2/22", gateway: "198.18.64.1" },
    { interface: 1, address: "2001:2:0:64::2/64", gateway: "2001:2:0:64::1" },
  ],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  dns: {},
};

/**
 * Milliseconds of our plugin alone, for each attachment: as it is executed for a VERSION, for which it asks nobody, and for an ADD where
 * whoever listens on the socket answers at once.
 */
export async function measureOverhead(
  command: Command,
  attachments: readonly Attachment[],
  atOnce: number,
): Promise<number[]> {
  await using answering = await answerAtOnce();
  const network = { cniVersion: CNI_VERSION, name: "bench", plugins: [ownEntry(answering.socket)] };
  await using runtime = await Runtime.start((...args) => Program.start(...args), atOnce, {
    network,
    cniPath: CNI_PATH,
    first: PREVIOUS,
  });
  return (await runtime.run(command, attachments)).map(({ own }) => own);
}

async function answerAtOnce(): Promise<AsyncDisposable & { readonly socket: string }> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  const socket = join(directory, "cni.sock");
  const server = createServer((peer) => {
    peer.on("error", (error) => console.error(`the socket that answers at once: ${error.message}`));
    peer.once("data", () => peer.end('{"ok":true}\n'));
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  return {
    socket,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}
