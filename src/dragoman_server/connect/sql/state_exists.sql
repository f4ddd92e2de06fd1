-- Only to say why a callback was refused; decides nothing. Looks over every environment: the caller knows 256 random bits.
SELECT true FROM connect.oauth_states WHERE state_hash = $1
