// The same API as Belfry's, as far as the benchmarks use it, on Fastify, node-postgres and Socket.IO. Needs a database that
// `belfry migrate` made. Prints its port.
import Fastify from 'fastify';
import { Server } from 'socket.io';
import { mayRead, readDiscussion } from './access.js';
import { createMessage } from './messages.js';
import { listPosts } from './posts.js';
import { verify } from './tokens.js';

const app = Fastify({ logger: false });

function callerOf(request) {
  const header = request.headers.authorization;
  return header ? verify(header.slice('Bearer '.length)) : null;
}

function refuse(reply, status, code) {
  return reply.code(status).send({ statusCode: status, code });
}

app.get('/readyz', async () => ({ status: 'ready' }));

app.get('/api/mobile/channels/:id/posts', async (request, reply) => {
  const user = callerOf(request);
  const id = Number(request.params.id);
  if (!(await mayRead(user, id))) return refuse(reply, 403, 'FORBIDDEN');
  const limit = Number(request.query.limit ?? 20);
  return { message: 'Channel posts fetched successfully', data: await listPosts(id, request.query.before_id, limit) };
});

app.post('/api/admin/channels/:id/discussion/messages', async (request, reply) => {
  const user = callerOf(request);
  if (!user?.admin) return refuse(reply, 403, 'FORBIDDEN');
  const body = String(request.body.body).trim();
  if (!body || body.length > 4000) return refuse(reply, 422, 'VALIDATION_ERROR');
  const created = await createMessage(user, Number(request.params.id), body);
  if (!created) return refuse(reply, 404, 'NOT_FOUND');
  const { event } = created;
  io.to(event.room).emit(event.type, { room: event.room, prevEventId: event.prevEventId, data: event.data });
  return reply.code(201).send({ message: 'Discussion message created successfully', data: created.message });
});

const io = new Server(app.server, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });

io.use((socket, next) => {
  try {
    socket.data.user = verify(socket.handshake.auth.token);
    next();
  } catch (error) {
    next(error);
  }
});

io.on('connection', (socket) => {
  socket.on('communication:join_discussion', async ({ channelId }, answer) => {
    const discussion = await readDiscussion(socket.data.user, channelId);
    if (!discussion) return answer({ ok: false });
    const room = `communication:discussion:${discussion.thread_id}:messages`;
    await socket.join(room);
    return answer({ ok: true, data: { room, channelId, lastEventId: discussion.last_visible_id } });
  });
});

await app.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ port: app.server.address().port }));
