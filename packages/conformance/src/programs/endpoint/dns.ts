import { createSocket } from "node:dgram";
import { once } from "node:events";
import { within } from "../../slow.ts";
import { converse } from "./conversation.ts";
import type { Input, Output } from "./protocol.ts";

const TXT = 16;
const IN = 1;

/** Asks all servers at once from one socket, as musl's resolver does, each with an id of its own; waits for every answer. */
export async function askDns({ servers, name, timeoutMs = within(2_000) }: Input<"askDns">): Promise<Output<"askDns">> {
  const socket = createSocket(servers[0]?.host.includes(":") === true ? "udp6" : "udp4");
  const answers: { server: string; port: number; text: string }[] = servers.map(() => ({
    server: "",
    port: 0,
    text: "",
  }));
  const abort = AbortSignal.timeout(timeoutMs);
  try {
    socket.bind(0);
    await once(socket, "listening");
    for (const [id, { host, port }] of servers.entries()) socket.send(question(id, name), port, host);
    for (let got = 0; got < servers.length; got++) {
      const [message, from] = (await once(socket, "message", { signal: abort })) as [
        Buffer,
        { address: string; port: number },
      ];
      const answer = answers[message.readUInt16BE(0)];
      if (answer !== undefined)
        Object.assign(answer, { server: from.address, port: from.port, text: textOf(message, name) });
    }
  } catch (error) {
    const { name: kind, code } = error as NodeJS.ErrnoException;
    // What has not come by now is missing from the answers; so it is after an ICMP error.
    if (kind !== "AbortError" && typeof code !== "string") throw error;
  } finally {
    socket.close();
  }
  return answers;
}

/** The same question by TCP (RFC 7766: two bytes of length before each message). */
export function askDnsByTcp({ name, ...dial }: Input<"askDnsByTcp">): Promise<Output<"askDnsByTcp">> {
  return converse(dial, async (conversation) => {
    const asked = question(1, name);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(asked.length);
    conversation.write(Buffer.concat([length, asked]));
    const answered = await conversation.read((await conversation.read(2)).readUInt16BE());
    return textOf(answered, name);
  });
}

/** A question for the TXT record of a name (RFC 1035 section 4). */
function question(id: number, name: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, nameBytes(name), Buffer.from([0, TXT, 0, IN])]);
}

const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** Text of the first answer; `""` when there is none. The answer's name is a pointer of two bytes to the question's. */
function textOf(message: Buffer, name: string): string {
  if (message.readUInt16BE(6) === 0) return "";
  const data = 12 + nameBytes(name).length + 4 + 2 + 2 + 2 + 4 + 2;
  return message.subarray(data + 1, data + 1 + (message[data] ?? 0)).toString();
}
