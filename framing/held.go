package framing

// What an unfinished message takes in memory is what its buffer has room for.

func (c *delimitedCodec) Held() int { return cap(c.buf) }
func (c *delimitedCodec) Shrink()   { c.buf = exact(c.buf) }

func (c *lengthCodec) Held() int { return cap(c.buf) }
func (c *lengthCodec) Shrink()   { c.buf = exact(c.buf) }

func (c *rawCodec) Held() int { return cap(c.buf) }
func (c *rawCodec) Shrink()   { c.buf = exact(c.buf) }

func (c *autoCodec) Held() int { return cap(c.buf) }
func (c *autoCodec) Shrink()   { c.buf = exact(c.buf) }
