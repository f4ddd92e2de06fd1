-- Which KEK to wrap with. The share lock lasts to the end of the transaction, so a rotation waits for this wrap.
SELECT current_kek FROM vault.ring FOR SHARE
