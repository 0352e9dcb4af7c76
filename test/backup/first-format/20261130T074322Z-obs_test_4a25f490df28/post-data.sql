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

SET default_tablespace = '';

ALTER TABLE ONLY app.owner
    ADD CONSTRAINT owner_pkey PRIMARY KEY (id);

ALTER TABLE ONLY app.pet
    ADD CONSTRAINT pet_pkey PRIMARY KEY (id);

CREATE INDEX pet_kind ON app.pet USING btree (kind) WHERE ((kind)::text = ANY ((ARRAY['cat'::character varying, 'dog'::character varying])::text[]));

ALTER TABLE ONLY app.pet
    ADD CONSTRAINT pet_owner_fkey FOREIGN KEY (owner) REFERENCES app.owner(id);
