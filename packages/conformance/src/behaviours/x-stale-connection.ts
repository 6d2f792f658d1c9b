import { LabError } from "../errors.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** In the range of the lab's clients; nothing else dials from it. */
const LOCAL_PORT = 29_990;
/** How the backend marks connections that pass (`marks.mask`, at its default). */
const PASSES = "0x1/0x7f";

export default defineBehaviour({
  id: "x-stale-connection",
  title: "A connection that conntrack still believes in lets no new one pass",
  given:
    "a member, and on the node an entry of conntrack for a connection of its that was let pass and has ended unseen, as crashes and lost packets leave them",
  when: "the member opens a connection from the same port to the same server",
  outcome: "it is captured",
  backends: { only: ["iptables"], because: "only this backend decides by the marks of the node's conntrack" },
  temperatures: ["cold"],
  async run({ bed, family, expect }) {
    const { m1, ext, node } = bed;
    const to = { host: ext.address(family), port: SERVER_PORT };
    const of = `-p tcp -s ${m1.address(family)} -d ${to.host} --sport ${LOCAL_PORT} --dport ${to.port}`.split(" ");
    const state = "--state ESTABLISHED --status SEEN_REPLY,ASSURED --timeout 600".split(" ");
    await node.namespace.runChecked("conntrack", ["-I", ...of, ...state, "--mark", PASSES.split("/")[0] ?? ""]);
    const kept = await node.namespace.runChecked("conntrack", ["-L", ...of, "--mark", PASSES]);
    if (!kept.includes("ESTABLISHED")) throw new LabError("ERR_EXPECTATION", `no entry of conntrack was made: ${kept}`);
    const since = bed.proxy.mark();
    const client = await m1.endpoint();
    const seen = expect.success("from the same port", await client.ask("report", { ...to, localPort: LOCAL_PORT }));
    expect.equal("the server saw", seen.peer, m1.address(family));
    const own = { source: m1.address(family), sourcePort: LOCAL_PORT };
    const records = await bed.proxy.awaitRecords(own, since);
    expect.equal(
      "the proxy saw it on",
      records.map(({ frontend }) => frontend),
      ["outbound"],
    );
  },
});
