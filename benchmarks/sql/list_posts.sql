-- A page of posts and the decision who may see it: what any answer has to read. Belfry reads attachments as well.
\set before random(:low, :high)
\set reader random(1, :readers)
SELECT c.status, c.access_policy, g.valid_from, g.valid_until
FROM channels c
LEFT JOIN grants g ON g.user_id = ('00000000-0000-4000-8000-' || lpad(:reader::text, 12, '0'))::uuid AND g.kind = 0
  AND g.key = c.entitlement_key AND g.revoked_at IS NULL
  AND g.valid_from <= clock_timestamp() AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())
WHERE c.id = :channel;
SELECT p.id, p.channel_id, epoch_ms(p.published_at), p.created_by, p.type, p.body_text, p.link_url, p.chart_payload,
       epoch_ms(p.pinned_at), epoch_ms(p.deleted_at), epoch_ms(p.created_at), epoch_ms(p.updated_at)
FROM posts p WHERE p.channel_id = :channel AND p.id < :before ORDER BY p.id DESC LIMIT 21;
