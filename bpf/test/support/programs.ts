import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Netns } from "linux-ts";
import { type Box, untilListening } from "./box.ts";
import { isIpv6 } from "./frames.ts";
import { type Ended, type Running, run } from "./process.ts";

/** What a {@link listen} server saw of a connection. */
export interface Seen {
  readonly name: string;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

const family = (v6: boolean) => (v6 ? 6 : 4);
const inUrl = (address: string) => (isIpv6(address) ? `[${address}]` : address);

/**
 * A server that tells each client its name and both ends of the connection as it sees them, then closes.
 * @param options further options of socat's listening address, for instance `ip-transparent`
 */
export async function listen(
  box: Box,
  netns: Netns,
  name: string,
  port: number,
  v6: boolean,
  ...options: string[]
): Promise<Running> {
  const only = v6 && !options.some((option) => option.startsWith("ipv6-v6only")) ? ["ipv6-v6only=1"] : [];
  const address = [`TCP${family(v6)}-LISTEN:${port}`, "fork", "reuseaddr", "backlog=128", ...only, ...options].join(
    ",",
  );
  const tell = `SYSTEM:echo ${name} $SOCAT_PEERADDR $SOCAT_PEERPORT $SOCAT_SOCKADDR $SOCAT_SOCKPORT`;
  const server = box.start(netns, "socat", address, tell);
  await untilListening(netns, port, family(v6));
  return server;
}

/** The three transparent listeners of a proxy that dials nobody, in both families. */
export async function listenAsProxy(box: Box, netns: Netns): Promise<void> {
  const listeners = [15001, 15006, 15008].flatMap((port) =>
    [false, true].map((v6) => listen(box, netns, `on-${port}`, port, v6, "ip-transparent")),
  );
  await Promise.all(listeners);
}

export interface DialOptions {
  readonly seconds?: number;
  /** Own address and port, which need not be of this host. */
  readonly bind?: string;
}

/** Connects and reads to the end. */
export async function dial(netns: Netns, address: string, port: number, options: DialOptions = {}): Promise<Ended> {
  const { seconds = 10, bind } = options;
  const from = bind ? [`bind=${bind}`, "ip-transparent", "reuseaddr"] : [];
  const target = [`TCP${family(isIpv6(address))}:${inUrl(address)}:${port}`, ...from].join(",");
  return await run(netns, seconds, "socat", "-u", target, "STDOUT");
}

/** As {@link dial}, to a {@link listen} server that must answer. */
export async function dialed(netns: Netns, address: string, port: number, options?: DialOptions): Promise<Seen> {
  const { code, stdout, stderr } = await dial(netns, address, port, options);
  const [name = "", source = "", sourcePort = "", destination = "", destinationPort = ""] = stdout.trim().split(" ");
  if (code !== 0 || !destinationPort)
    throw new Error(`no answer of ${address} port ${port}: exit code ${code}, ${stdout}${stderr}`);
  return {
    name,
    source: canonical(source),
    sourcePort: Number(sourcePort),
    destination: canonical(destination),
    destinationPort: Number(destinationPort),
  };
}

/** socat writes IPv6 in full and in brackets. */
function canonical(address: string): string {
  if (!address.startsWith("[")) return address;
  return new URL(`http://${address}/`).hostname.slice(1, -1);
}

const HAPROXY = process.env.MILLRACE_HAPROXY ?? "haproxy";

/** A real transparent proxy, which dials the original destination with the client's address. Its log is its output. */
export async function startHaproxy(box: Box, netns: Netns): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bpf-"));
  box.use({ [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) });
  const frontends = { outbound: 15001, inbound: 15006, hbone: 15008 };
  const configuration = [
    "global",
    "  log stdout format raw local0",
    "defaults",
    "  mode tcp",
    "  log global",
    "  timeout connect 5s",
    "  timeout client 60s",
    "  timeout server 60s",
    ...Object.entries(frontends).flatMap(([name, port]) => [
      `frontend ${name}`,
      `  bind :::${port} v4v6 transparent`,
      `  log-format "${name} %ci %[dst] %[dst_port]"`,
      "  default_backend original-destination",
    ]),
    "backend original-destination",
    "  source 0.0.0.0 usesrc clientip",
    "  server original 0.0.0.0:0",
    "",
  ].join("\n");
  const path = join(directory, "haproxy.cfg");
  writeFileSync(path, configuration);
  const haproxy = box.start(netns, HAPROXY, "-db", "-f", path);
  for (const port of Object.values(frontends)) await untilListening(netns, port, 6);
  return haproxy;
}
