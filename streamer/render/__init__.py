"""Films, painted without a deadline: scene by scene, in pieces that survive whatever ends the process.

`rendering` puts it together: `survey` looks through the film once, `chunks` says what the work is, `atelier` paints,
`workshop` keeps what is done on the disk, and what is kept is joined. `hands` are processes of this machine,
`cluster` is Ray.
"""
