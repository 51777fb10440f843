// A chat with socket.io, as its documentation recommends: rooms, acknowledgements, the Redis streams adapter.
// It stores nothing and authenticates nobody. `node server.mjs PORT REDIS_URL`
import { createServer } from "node:http";

import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redisUrl] = process.argv.slice(2);
const redis = createClient({ url: redisUrl });
await redis.connect();
const http = createServer();
const io = new Server(http, { adapter: createAdapter(redis), transports: ["websocket"], serveClient: false });

// "Memory usage" in the documentation: the first request of a connection can be discarded.
io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.on("connection", (socket) => {
  socket.on("join", (roomId, done) => {
    socket.join(roomId);
    done();
  });
  socket.on("message", (message, done) => {
    io.to(message.room_id).emit("message", message);
    done();
  });
});

http.listen(Number(port), "127.0.0.1");
