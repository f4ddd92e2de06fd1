-- Which KEK is current; for a look only, no lock.
SELECT current_kek FROM vault.ring
