-- +goose Up
-- How somebody was known at an instant: the name and the main MOPD ID of then, or before there were any, the first ones.
CREATE FUNCTION accounts.pub_person_at(who bigint, known timestamptz) RETURNS TABLE (given text, family text, mopd_id integer) LANGUAGE sql STABLE AS $$
    SELECT n.given, n.family, i.id
    FROM (SELECT given, family FROM accounts.names WHERE person = who
            ORDER BY recorded_at > known, greatest(recorded_at - known, known - recorded_at) LIMIT 1) n,
        (SELECT id FROM accounts.mopd_ids WHERE person = who
            ORDER BY recorded_at > known, greatest(recorded_at - known, known - recorded_at), id LIMIT 1) i
$$;
