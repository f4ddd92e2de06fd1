-- Only to say why a callback was refused; decides nothing. Reads no environment_id: the answer is true or false.
SELECT true FROM connect.oauth_states WHERE state_hash = $1
