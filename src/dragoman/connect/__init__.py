"""Let the signed-in users of your web application connect their accounts.

`dragoman.connect.fastapi` (the extra `dragoman[fastapi]`) and `dragoman.connect.django` (`dragoman[django]`) make the
same three addresses from `dragoman.connect.core`, which knows no framework: `session`, called by the button, makes a
connect session for the signed-in user; `webhook` hears what became of it; `connect.js` opens the Connect UI.
"""
