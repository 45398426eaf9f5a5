"""The boards of the node family as data: profiles, pin rules, drawings, bill of materials, power, calibration.

catalogue   chips, modules, classes of parts, insulation        hardware/catalogue/*.toml
board       one board                                           hardware/boards/NAME/board.toml
check       rules → findings, one line each with its remedy
pinout, wiring, page, bom, power                                what is made of a board, the same bytes every time
calibration the record of gains with date and operator
"""
