-- +goose Up
-- What other features may know of enrollments under way.
CREATE VIEW enrollments.pub_open AS
    SELECT id AS enrollment, person, last_day FROM enrollments.enrollments WHERE state IN ('ready', 'active');
