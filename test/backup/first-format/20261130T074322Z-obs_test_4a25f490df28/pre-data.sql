SET statement_timeout = 0;

SET lock_timeout = 0;

SET idle_in_transaction_session_timeout = 0;

SET client_encoding = 'UTF8';

SET standard_conforming_strings = on;

SELECT pg_catalog.set_config('search_path', '', false);

SET check_function_bodies = false;

SET xmloption = content;

SET client_min_messages = warning;

SET row_security = off;

CREATE SCHEMA app;

ALTER SCHEMA app OWNER TO obs;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE app.pet (
    id integer NOT NULL,
    owner integer,
    kind character varying(9),
    note text,
    born date,
    twice integer GENERATED ALWAYS AS ((id * 2)) STORED,
    CONSTRAINT pet_kind_check CHECK (((kind)::text = ANY ((ARRAY['cat'::character varying, 'dog'::character varying])::text[])))
);

ALTER TABLE app.pet OWNER TO obs;

COMMENT ON TABLE app.pet IS 'what people keep';

CREATE VIEW app.cats AS
 SELECT pet.id,
    pet.owner,
    pet.kind,
    pet.note,
    pet.born,
    pet.twice
   FROM app.pet
  WHERE ((pet.kind)::text = ANY ((ARRAY['cat'::character varying, 'kitten'::character varying])::text[]));

ALTER VIEW app.cats OWNER TO obs;

CREATE TABLE app.nothing (
    id integer
);

ALTER TABLE app.nothing OWNER TO obs;

CREATE TABLE app.owner (
    id integer NOT NULL,
    name text NOT NULL
);

ALTER TABLE app.owner OWNER TO obs;

ALTER TABLE app.owner ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME app.owner_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE app.ticket
    START WITH 7
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE app.ticket OWNER TO obs;
