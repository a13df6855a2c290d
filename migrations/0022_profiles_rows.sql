-- +goose Up
-- Hardly anybody has more than one profile. Unless told, the planner expects a thousand, and compiles each report's
-- statements (JIT, about 60 ms), which costs more than it saves.
ALTER FUNCTION accounts.pub_profiles_at(bigint, timestamptz) ROWS 1;
