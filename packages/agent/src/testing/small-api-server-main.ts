import { SmallApiServer } from "./small-api-server.ts";

// For tests whose agent is in a network of its own: node small-api-server-main.ts ADDRESS PORT
const [address, port] = process.argv.slice(2);
console.log(`serving ${await new SmallApiServer().listen(Number(port), address)}`);
