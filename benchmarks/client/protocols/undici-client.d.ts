/** undici's client alone: all of undici, with its fetch and WebSocket, would be a quarter of the load client's bundle. */
declare module "undici/lib/dispatcher/client.js" {
  import type { Client } from "undici";

  const client: typeof Client;
  export default client;
}
