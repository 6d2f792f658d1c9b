import { Command, InvalidArgumentError, Option } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly write: string;
  readonly seconds?: number;
  readonly packets?: number;
  readonly megabytes: number;
  readonly snaplen: number;
}

const BYTES_PER_MEGABYTE = 1_000_000;
const MAX_PACKET_BYTES = 262_144;

const wholeNumber = (least: number, most: number) => (text: string) => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
};

export function captureCommand(io: Io, finish: Finish): Command {
  const command = new Command("capture")
    .summary("write the packets of a pod to a file, on all their ways")
    .description(
      "Writes what a pod of this node sends and receives into a pcapng file, for Wireshark or tcpdump: as its own network namespace, the node and the " +
        "node's proxies see it, those packets among them that pass around the pod's veth on the node. Each interface is named by where it is: " +
        "pod:eth0, proxy:eth0, node:veth1. Goes on until interrupted or until a limit. Changes nothing. Needs root and a running agent.",
    )
    .argument("<pod>", "namespace/name, or the pod's uid")
    .requiredOption("-w, --write <file>", "where to: a new file, or - for standard output")
    .addOption(new Option("--seconds <count>", "end after so long").argParser(wholeNumber(1, 999_999_999)))
    .addOption(
      new Option("--packets <count>", "end after so many, of all interfaces together").argParser(
        wholeNumber(1, 999_999_999),
      ),
    )
    .addOption(
      new Option("--megabytes <count>", "end before the file is larger")
        .argParser(wholeNumber(1, 999_999))
        .default(100),
    )
    .addOption(
      new Option("--snaplen <bytes>", "how much of each packet to keep")
        .argParser(wholeNumber(64, MAX_PACKET_BYTES))
        .default(MAX_PACKET_BYTES),
    );
  addSettings(command, ["sockets.admin"]);
  command.action(async (pod: string, { write, seconds, packets, megabytes, snaplen }: Options) => {
    const { configuration } = setupOf(command, io);
    // Loaded here and not above: the native parts must not keep `--help` from working.
    const { capturePod } = await import("../../capture/capture-pod.ts");
    await capturePod({
      io,
      client: new AdminClient(configuration.sockets.admin),
      pod,
      path: write,
      snapLength: snaplen,
      limits: {
        bytes: megabytes * BYTES_PER_MEGABYTE,
        ...(seconds !== undefined && { seconds }),
        ...(packets !== undefined && { packets }),
      },
    });
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace capture shop/web -w web.pcapng", "until interrupted, or 100 MB"],
    ["millrace capture shop/web -w web.pcapng --seconds 30 --snaplen 128", "headers only, for half a minute"],
    ["millrace capture shop/web -w - | tcpdump -nnr -", "watch it at once"],
  ]);
}
