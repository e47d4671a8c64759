"""`charger doctor`: what is wrong with a board, and what to do, before mains is connected.

Every check looks at one thing and gives findings of the form verdict, fact, remedy; none of them switches
anything on. What is looked at is handed in: a folder that plays the root of the file system, the parts of the
board as their contracts.
"""
