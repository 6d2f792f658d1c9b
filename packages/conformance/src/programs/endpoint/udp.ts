import { createSocket } from "node:dgram";
import { once } from "node:events";
import { plainAddress } from "../../lab/addresses.ts";
import { within } from "../../slow.ts";
import { pattern } from "./pattern.ts";
import type { Input, Output } from "./protocol.ts";

/** Answers every datagram with the sender's address, a line feed, and the datagram. */
export async function listenUdp({ port, host = "::" }: Input<"listenUdp">): Promise<Output<"listenUdp">> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.on("message", (message, from) => {
    socket.send(Buffer.concat([Buffer.from(`${plainAddress(from.address)}\n`), message]), from.port, from.address);
  });
  socket.bind(port, host);
  await once(socket, "listening");
  return { port: socket.address().port };
}

/** Round trips of datagrams, each checked; a lost one is a `TIMEOUT`. */
export async function udp({
  host,
  port,
  localAddress,
  localPort,
  rounds,
  size = 64,
  timeoutMs = within(2_000),
}: Input<"udp">): Promise<Output<"udp">> {
  const started = performance.now();
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const elapsed = (): number => Math.round((performance.now() - started) * 10) / 10;
  const failed = (failure: string, received: number) =>
    ({ ok: false, failure, connected: false, received, ms: elapsed() }) as const;
  let received = 0;
  let peer = "";
  try {
    if (localAddress !== undefined || localPort !== undefined) {
      socket.bind({ port: localPort ?? 0, ...(localAddress === undefined ? {} : { address: localAddress }) });
      await once(socket, "listening");
    }
    socket.connect(port, host);
    await once(socket, "connect");
    for (let round = 0; round < rounds; round++) {
      const sent = pattern(size, round * size);
      socket.send(sent);
      const [message] = (await once(socket, "message", { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
      const end = message.indexOf("\n");
      peer = message.subarray(0, end).toString();
      if (!message.subarray(end + 1).equals(sent)) return failed("CORRUPT", received);
      received += message.length;
    }
    const { address, port: boundPort } = socket.address();
    return { ok: true, value: { rounds, peer }, local: address, localPort: boundPort, ms: elapsed() };
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    if (name === "AbortError") return failed("TIMEOUT", received);
    if (typeof code === "string") return failed(code, received);
    throw error;
  } finally {
    socket.close();
  }
}
