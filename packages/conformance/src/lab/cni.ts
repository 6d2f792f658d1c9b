import { connect } from "node:net";
import { z } from "zod";
import { LabError } from "../errors.ts";
import { within } from "../slow.ts";
import type { LabPod } from "./lab-pod.ts";
import type { PodNetwork } from "./pod-network.ts";

export type CniCommand = "ADD" | "DEL" | "CHECK" | "STATUS";

const Answer = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), code: z.number().int(), message: z.string(), details: z.string().optional() }),
]);

/**
 * One request on the agent's CNI socket, as the CNI plugin makes it when the container runtime calls: one line of JSON
 * each way. Throws ERR_CNI_REQUEST with the agent's code and message, or when there is no proper answer in 5 seconds.
 */
export async function cniRequest(
  socketPath: string,
  command: CniCommand,
  pod: LabPod,
  network: PodNetwork,
): Promise<void> {
  const request = {
    version: 1,
    command,
    containerId: pod.containerId,
    netns: pod.namespace.path,
    ifName: "eth0",
    pod: { namespace: pod.kubernetesNamespace, name: pod.name, uid: pod.uid },
    prevResult: await previousResult(pod, network),
  };
  const line = await exchange(socketPath, `${JSON.stringify(request)}\n`);
  const answer = Answer.parse(JSON.parse(line));
  if (!answer.ok) {
    throw new LabError("ERR_CNI_REQUEST", `CNI ${command} of ${pod.name}: code ${answer.code}: ${answer.message}`, {
      details: answer.details ?? "",
    });
  }
}

/** The result of the plugin before ours in the chain (CNI specification 1.0, section 5, "Success"). */
async function previousResult(pod: LabPod, network: PodNetwork): Promise<object> {
  const links = JSON.parse(await pod.namespace.runChecked("ip", ["-j", "link", "show", "eth0"])) as {
    address: string;
  }[];
  const gateway = network.gateways(pod);
  const lengths = network.prefixLengths;
  // The plugin `bridge` tells of its bridge first.
  const bridge = network.kind === "bridge" ? [{ name: network.device(pod) }] : [];
  const inside = { name: "eth0", mac: links[0]?.address, sandbox: pod.namespace.path };
  const at = bridge.length + 1;
  return {
    cniVersion: "1.0.0",
    interfaces: [...bridge, { name: pod.hostInterface }, inside],
    ips: [
      { interface: at, address: `${pod.addresses[4]}/${lengths[4]}`, gateway: gateway[4] },
      { interface: at, address: `${pod.addresses[6]}/${lengths[6]}`, gateway: gateway[6] },
    ],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  };
}

function exchange(socketPath: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(socketPath, () => socket.write(request));
    const fail = (message: string, cause?: unknown) => {
      socket.destroy();
      reject(new LabError("ERR_CNI_REQUEST", `${socketPath}: ${message}`, { details: answer, cause }));
    };
    socket.setEncoding("utf8");
    socket.setTimeout(within(20_000), () => fail("no answer in time"));
    socket.on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.on("error", (cause) => fail(cause.message, cause));
    socket.on("end", () => {
      if (answer.trim() === "") fail("closed without an answer");
      else {
        socket.destroy();
        resolve(answer);
      }
    });
  });
}
