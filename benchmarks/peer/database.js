import pg from 'pg';

pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export const pool = new pg.Pool({
  host: process.env.PEER_DATABASE_HOST,
  database: process.env.PEER_DATABASE_NAME,
  user: 'postgres',
  max: Number(process.env.PEER_DATABASE_CONNECTIONS ?? 16),
});

/// `work` in one READ COMMITTED transaction.
export async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    client.release();
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    client.release();
    throw error;
  }
}
