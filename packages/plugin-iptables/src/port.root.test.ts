import { spawn } from "node:child_process";
import { ScratchNetns } from "linux-ts/testing";
import { expect, test, vi } from "vitest";
import { choosePort } from "./port.ts";

const LINKS = { "millrace-out": 1001, "millrace-in": 1000 };

const choose = (places: readonly ScratchNetns[], base = 6081) =>
  choosePort({ base, links: LINKS, places: places.map(({ fd }) => fd) });

/** A UDP socket in a namespace, bound until disposed. */
async function bind(there: ScratchNetns, family: 4 | 6, port: number): Promise<Disposable> {
  const receive = `UDP${family}-RECV:${port}${family === 6 ? ",ipv6only=1" : ""}`;
  const child = spawn("nsenter", [`--net=${there.path}`, "socat", "-u", receive, "-"], { stdio: "ignore" });
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  await vi.waitUntil(() => there.sh("cat /proc/net/udp /proc/net/udp6").includes(local), {
    timeout: 10_000,
    interval: 20,
  });
  return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

test("the configured port where nobody has it", async () => {
  using node = new ScratchNetns();
  using proxy = new ScratchNetns();
  expect(await choose([node, proxy])).toEqual({ port: 6081, isAdopted: false, passedOver: [] });
});

test("goes round an external tunnel of Open vSwitch, up or down, and tells whose it is", async () => {
  using node = new ScratchNetns();
  node.sh("ip link add genev_sys_6081 type vxlan external dstport 6081");
  const answer = await choose([node]);
  expect(answer).toEqual({
    port: 6082,
    isAdopted: false,
    passedOver: [
      {
        port: 6081,
        by: "the vxlan device genev_sys_6081 (external) of OVN-Kubernetes (Open vSwitch) or Antrea (Open vSwitch)",
      },
    ],
  });
  node.sh("ip link set genev_sys_6081 up");
  expect(await choose([node])).toEqual(answer);
});

test("goes round tunnels of others and sockets, in the node's and in the proxy's namespace, of both families", async () => {
  using node = new ScratchNetns();
  using proxy = new ScratchNetns();
  node.sh("ip link set lo up; ip link add other type vxlan id 1001 remote 198.18.0.9 dstport 6081");
  proxy.sh("ip link set lo up; ip link add other type vxlan id 7 remote 198.18.0.9 dstport 6082");
  using _one = await bind(node, 4, 6083);
  using _two = await bind(proxy, 4, 6084);
  using _three = await bind(proxy, 4, 6085);
  const answer = await choose([node, proxy]);
  expect(answer.port).toBe(6086);
  expect(answer.passedOver.map(({ by }) => by)).toEqual([
    "the vxlan device other (VNI 1001) of an owner that is not known",
    "the vxlan device other (VNI 7) of an owner that is not known",
    "a UDP socket",
    "a UDP socket",
    "a UDP socket",
  ]);
  expect((await choose([node])).port).toBe(6082);
});

test("a socket of IPv6 counts", async () => {
  using node = new ScratchNetns();
  node.sh("ip link set lo up");
  using _socket = await bind(node, 6, 6081);
  expect((await choose([node])).port).toBe(6082);
});

test("stays with the port of a tunnel of ours, whatever has come since", async () => {
  using node = new ScratchNetns();
  node.sh("ip link add millrace-out type vxlan id 1001 remote 198.18.0.9 dstport 6083");
  expect(await choose([node])).toEqual({ port: 6083, isAdopted: true, passedOver: [] });
  node.sh("ip link del millrace-out; ip link add millrace-out type vxlan id 5 remote 198.18.0.9 dstport 6083");
  expect(await choose([node])).toMatchObject({ port: 6081, isAdopted: false });
});

test("refuses when all are taken", async () => {
  using node = new ScratchNetns();
  node.sh("ip link add one type vxlan external dstport 65534; ip link add two type vxlan external dstport 65535");
  await expect(choose([node], 65534)).rejects.toMatchObject({
    code: "ERR_NO_PORT",
    message: expect.stringMatching(/65534 to 65535.*device one.*device two.*backends\.iptables\.port/),
  });
});
